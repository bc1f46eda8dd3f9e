// Package procs inspects and signals the processes of this machine. It reads Linux's /proc.
package procs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// All returns the IDs of all processes.
func All() []int {
	var all []int
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, entry := range entries {
		if pid, err := strconv.Atoi(filepath.Base(entry)); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// Alive reports whether a process is running. A zombie is not: in a container without an init process it is never
// reaped.
func Alive(pid int) bool {
	if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return false
	}
	_, state, _, err := stat(pid)
	return err != nil || state != zombie // without /proc, the signal alone decides
}

const zombie = "Z"

// stat returns a process's name, state and parent.
// Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func stat(pid int) (name, state, parent string, err error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", "", "", err
	}
	// The name is in parentheses and may hold any byte; state and parent follow it.
	begin, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	fields := strings.Fields(string(line[end+1:]))
	return string(line[begin+1 : end]), fields[0], fields[1], nil
}

// Children returns the child processes with that name that have not exited.
func Children(parent int, name string) []int {
	var all []int
	for _, pid := range All() {
		childName, state, childParent, err := stat(pid)
		if err == nil && childName == name && state != zombie && childParent == strconv.Itoa(parent) {
			all = append(all, pid)
		}
	}
	return all
}

// Send signals a process; it is no error if the process has exited.
func Send(pid int, signal unix.Signal) error {
	if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %v to %d: %w", signal, pid, err)
	}
	return nil
}

// KillTree signals a process and its children with that name. It stops the parent first, so that neither observes the
// end of the other.
func KillTree(parent int, name string, signal unix.Signal) error {
	if err := Send(parent, unix.SIGSTOP); err != nil {
		return err
	}
	for _, pid := range Children(parent, name) {
		if err := Send(pid, signal); err != nil {
			return err
		}
	}
	return Send(parent, signal)
}
