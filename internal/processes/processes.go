// Package processes finds processes on this machine, for tests and measurements that signal them. It reads Linux's /proc.
package processes

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

// Children are a process's children of that name that have not ended.
func Children(parent int, name string) []int {
	var all []int
	for _, pid := range All() {
		// The name stands in brackets and may hold anything; state and parent follow it.
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		begin, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		fields := strings.Fields(string(stat[end+1:]))
		if string(stat[begin+1:end]) == name && fields[0] != "Z" && fields[1] == strconv.Itoa(parent) {
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

// Fell signals a process and its children of that name such that neither sees the other end: the parent is stopped first.
func Fell(parent int, name string, signal unix.Signal) error {
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
