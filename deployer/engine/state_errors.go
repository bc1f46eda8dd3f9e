package engine

import (
	"cmp"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

func (h *Handle) stateError(reason string) *StateError {
	err := h.stack.stateError(explainDecodeError(reason))
	err.OtherVersion = stateOfOtherVersion.MatchString(reason)
	return err
}

// explainDecodeError explains a decoder's error about a state, and keeps the error for who examines the file.
func explainDecodeError(reason string) string {
	switch {
	case reason == "unexpected end of JSON input", strings.HasSuffix(reason, "EOF"):
		return "it is empty or truncated (" + reason + ")"
	case strings.HasPrefix(reason, "invalid character"), strings.Contains(reason, "cannot unmarshal"):
		return "it is not a state (" + reason + ")"
	}
	return reason
}

// MissingError returns the error of a state that does not exist or is empty, although it must have resources.
func (s Stack) MissingError(reason string) *StateError {
	err := s.stateError(reason)
	err.Missing = true
	return err
}

// stateError returns an error with the location of the state and of its backup. In a directory, the engine keeps backups
// beside the state, of each run under backups, and of each finished run under history.
func (s Stack) stateError(reason string) *StateError {
	err := &StateError{Stack: s.Name, Reason: reason}
	project, loadErr := workspace.LoadProject(filepath.Join(s.Project, "Pulumi.yaml"))
	u, parseErr := url.Parse(s.backendURL())
	if loadErr != nil || parseErr != nil {
		return err
	}
	name := string(project.Name)
	if u.Scheme == "s3" {
		key := path.Join(u.Path, ".pulumi", "stacks", name, s.Name+".json")
		err.Object = Object{Bucket: u.Host, Key: strings.TrimPrefix(key, "/"), Region: u.Query().Get("region")}
	}
	dir := s.backendDir()
	if dir == "" {
		return err
	}
	root := filepath.Join(dir, ".pulumi")
	err.File = s.stateFile(name)
	err.Backup = newestBackupFile(
		err.File+".bak",
		filepath.Join(root, "backups", name, s.Name, "*.json"),
		filepath.Join(root, "history", name, s.Name, "*.checkpoint.json"),
	)
	return err
}

// stateFile returns the file of the state where the backend is a directory, else "".
func (s Stack) stateFile(project string) string {
	dir := s.backendDir()
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, ".pulumi", "stacks", project, s.Name+".json")
}

// backendURL returns the backend's URL, or "" if the engine's own login decides.
func (s Stack) backendURL() string {
	return cmp.Or(s.BackendURL, s.Env["PULUMI_BACKEND_URL"], os.Getenv("PULUMI_BACKEND_URL"))
}

// newestBackupFile returns the latest complete state of the files, one with resources before any other; "" if none is
// complete. It reads the time from the state: the times of files change when they are copied.
func newestBackupFile(patterns ...string) string {
	var newest [2]string // without and with resources
	var when [2]time.Time
	for _, pattern := range patterns {
		files, _ := filepath.Glob(pattern) // the only error is a malformed pattern
		for _, file := range files {
			written, resources, complete := readBackupFile(file)
			kind := min(resources, 1)
			if complete && (newest[kind] == "" || written.After(when[kind])) {
				newest[kind], when[kind] = file, written
			}
		}
	}
	return cmp.Or(newest[1], newest[0])
}

// readBackupFile reports whether a file is a complete and consistent state, when it was written, and its number of resources.
func readBackupFile(file string) (written time.Time, resources int, complete bool) {
	content, _ := os.ReadFile(file) // what cannot be read is no backup
	doc, written, err := readBackup(content)
	if err != nil {
		return time.Time{}, 0, false
	}
	return written, len(doc.Resources), true
}
