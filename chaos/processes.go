package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/internal/processes"
)

// signals by their names.
var signals = map[string]unix.Signal{"SIGKILL": unix.SIGKILL, "SIGINT": unix.SIGINT, "SIGTERM": unix.SIGTERM}

// strike sends the signal, and reports whether there was somebody to get it. Deployer and engine are stopped first where both
// get it, so that neither sees the other die.
func strike(t trial, deployer int) (bool, error) {
	signal := signals[t.signal]
	engines := processes.Children(deployer, "pulumi")
	switch t.victim {
	case deployerAlone:
		return true, send(deployer, signal)
	case engineAlone:
		for _, pid := range engines {
			if err := send(pid, signal); err != nil {
				return false, err
			}
		}
		return len(engines) > 0, nil
	}
	if err := send(deployer, unix.SIGSTOP); err != nil {
		return false, err
	}
	for _, pid := range processes.Children(deployer, "pulumi") {
		if err := send(pid, signal); err != nil {
			return false, err
		}
	}
	return true, send(deployer, signal)
}

// send signals a process; one that has just ended is no error.
func send(pid int, signal unix.Signal) error {
	if err := unix.Kill(pid, signal); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("send %v to %d: %w", signal, pid, err)
	}
	return nil
}

// inhabitants are the processes whose environment names the directory, with what they are.
func inhabitants(dir string) map[int]string {
	found := map[int]string{}
	for _, pid := range processes.All() {
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || !bytes.Contains(environment, []byte("DEPLOYER_STATE_DIR="+dir+"\x00")) {
			continue
		}
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		found[pid] = string(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
	}
	return found
}
