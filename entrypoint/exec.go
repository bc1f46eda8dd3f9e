package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// findCommand finds the command on PATH or by its path.
func findCommand(command string) (string, error) {
	path, err := exec.LookPath(command)
	switch {
	case err == nil, errors.Is(err, exec.ErrDot):
		return path, nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EISDIR):
		return "", exitError{exitNotExecutable, fmt.Errorf("%s cannot be executed; check its file mode", command)}
	case strings.ContainsRune(command, filepath.Separator):
		return "", exitError{exitNotFound, fmt.Errorf("%s does not exist", command)}
	}
	return "", exitError{exitNotFound, fmt.Errorf("%s was not found in PATH", command)}
}

// execCommand replaces this process with the command. It returns only if that fails.
func execCommand(path string, command, environment []string) error {
	err := syscall.Exec(path, command, environment)
	switch {
	case errors.Is(err, syscall.ENOENT):
		return exitError{exitNotFound, fmt.Errorf("%s cannot be started: the interpreter or loader that it names does not exist", path)}
	case errors.Is(err, syscall.ENOEXEC):
		return exitError{exitNotExecutable, fmt.Errorf("%s cannot be started: it is neither a program for this machine nor a script with #! in its first line", path)}
	case errors.Is(err, syscall.E2BIG):
		return exitError{exitNotExecutable, fmt.Errorf("%s cannot be started: its arguments and variables are too large", path)}
	}
	return exitError{exitNotExecutable, fmt.Errorf("start %s: %w", path, err)}
}
