// Package procs knows the processes of this machine: whether one lives, and, for tests and measurements that signal them, which
// are another's children. It reads Linux's /proc.
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

// All are the numbers of all processes.
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

// Alive reports whether a process runs. One that has ended, and that nobody has asked about yet, does not: in a container without an
// init process it stays in the table for ever.
func Alive(pid int) bool {
	if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return false
	}
	_, state, _, err := stat(pid)
	return err != nil || state != zombie // where there is no /proc, the signal has the last word
}

// zombie is the state of a process that has ended and is still in the table.
const zombie = "Z"

// stat is a process's name, state and parent.
// Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func stat(pid int) (name, state, parent string, err error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", "", "", err
	}
	// The name stands in brackets and may hold anything; state and parent follow it.
	begin, end := bytes.IndexByte(line, '('), bytes.LastIndexByte(line, ')')
	fields := strings.Fields(string(line[end+1:]))
	return string(line[begin+1 : end]), fields[0], fields[1], nil
}

// Children are a process's children of that name that have not ended.
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

// Send signals a process; one that has just ended is no error.
func Send(pid int, signal unix.Signal) error {
	if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %v to %d: %w", signal, pid, err)
	}
	return nil
}

// KillTree signals a process and its children of that name such that neither sees the other end: the parent is stopped first.
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
