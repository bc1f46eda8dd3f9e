package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// damaged says what can be done about a state that cannot be read. Where the backend is a directory, the engine keeps
// copies there: one beside the state, one of every run under backups, one of every finished run under history.
func (h *Handle) damaged(reason string) error {
	err := &StateDamagedError{Stack: h.stack.Name, Reason: reason, OtherVersion: foreign.MatchString(reason)}
	dir := h.stack.backendDir()
	project, loadErr := workspace.LoadProject(filepath.Join(h.stack.WorkDir, "Pulumi.yaml"))
	if dir == "" || loadErr != nil {
		return err
	}
	root, name := filepath.Join(dir, ".pulumi"), string(project.Name)
	err.File = filepath.Join(root, "stacks", name, h.stack.Name+".json")
	err.Backup = newestIntact(
		err.File+".bak",
		filepath.Join(root, "backups", name, h.stack.Name, "*.json"),
		filepath.Join(root, "history", name, h.stack.Name, "*.checkpoint.json"),
	)
	return err
}

// newestIntact returns the file that was written last among those that hold a whole state; empty where none does.
func newestIntact(patterns ...string) string {
	newest, when := "", time.Time{}
	for _, pattern := range patterns {
		files, _ := filepath.Glob(pattern) // the only error is a malformed pattern
		for _, file := range files {
			info, err := os.Stat(file)
			if err == nil && info.ModTime().After(when) && intact(file) {
				newest, when = file, info.ModTime()
			}
		}
	}
	return newest
}

func intact(file string) bool {
	content, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	var state struct {
		Checkpoint struct {
			Latest *struct{} `json:"latest"`
		} `json:"checkpoint"`
	}
	return json.Unmarshal(content, &state) == nil && state.Checkpoint.Latest != nil
}
