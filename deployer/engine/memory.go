package engine

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/blang/semver"
)

// memoryFile lies in Options.Home.
const memoryFile = "engine-version.json"

// memory is what a binary said of its version. To ask it again takes a quarter of a second, and every command would.
type memory struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
	// Modified is in nanoseconds since 1970.
	Modified int64  `json:"modified"`
	Version  string `json:"version"`
}

// recall returns the version of the binary, where it is the one that was asked last and has not changed since. A
// version that would not do is not returned: a refusal is worth asking again.
func recall(home string, now memory) (semver.Version, bool) {
	content, err := os.ReadFile(filepath.Join(home, memoryFile))
	if err != nil {
		return semver.Version{}, false
	}
	var m memory
	if err := json.Unmarshal(content, &m); err != nil {
		return semver.Version{}, false
	}
	now.Version = m.Version
	version, err := semver.Parse(m.Version)
	return version, err == nil && m == now && isSupported(version)
}

// remember notes the version of the binary as it was when before was taken. What cannot be noted is asked again.
func remember(home string, before memory, version semver.Version) {
	before.Version = version.String()
	content, err := json.Marshal(before)
	if err != nil || os.MkdirAll(home, 0o700) != nil {
		return
	}
	_ = writeFile(filepath.Join(home, memoryFile), content)
}

// identity is what tells a binary from another one. It is not known of a stand-in, such as the shims of version
// managers: a script, or a link to a program of another name, which stays the same when the engine behind it changes.
func identity(path string) (memory, bool) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil || filepath.Base(target) != "pulumi" {
		return memory{}, false
	}
	file, err := os.Open(target)
	if err != nil {
		return memory{}, false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return memory{}, false
	}
	start := make([]byte, len("#!"))
	if _, err := io.ReadFull(file, start); err != nil || string(start) == "#!" {
		return memory{}, false
	}
	return memory{Path: target, Size: info.Size(), Modified: info.ModTime().UnixNano()}, true
}
