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

// findCommand finds the command on PATH, or where its path says.
func findCommand(command string) (string, error) {
	path, err := exec.LookPath(command)
	switch {
	case err == nil, errors.Is(err, exec.ErrDot):
		return path, nil
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EISDIR):
		return "", exitError{exitNotExecutable, fmt.Errorf("%s cannot be executed; look at its mode", command)}
	case strings.ContainsRune(command, filepath.Separator):
		return "", exitError{exitNotFound, fmt.Errorf("%s is not there", command)}
	}
	return "", exitError{exitNotFound, fmt.Errorf("%s is in no directory of PATH", command)}
}

// execCommand puts the command in this process's place. It returns only where that fails.
func execCommand(path string, command, environment []string) error {
	err := syscall.Exec(path, command, environment)
	switch {
	case errors.Is(err, syscall.ENOENT):
		return exitError{exitNotFound, fmt.Errorf("%s cannot be started: the interpreter or loader that it names is not there", path)}
	case errors.Is(err, syscall.ENOEXEC):
		return exitError{exitNotExecutable, fmt.Errorf("%s cannot be started: it is neither a program for this machine nor a script with #! in its first line", path)}
	case errors.Is(err, syscall.E2BIG):
		return exitError{exitNotExecutable, fmt.Errorf("%s cannot be started: its arguments and variables are too large", path)}
	}
	return exitError{exitNotExecutable, fmt.Errorf("start %s: %w", path, err)}
}
