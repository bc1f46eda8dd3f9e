package main

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/internal/processes"
)

// signals by their names.
var signals = map[string]unix.Signal{"SIGKILL": unix.SIGKILL, "SIGINT": unix.SIGINT, "SIGTERM": unix.SIGTERM}

// strike sends the signal, and reports whether there was somebody to get it.
func strike(t trial, deployer int) (bool, error) {
	signal := signals[t.signal]
	engines := processes.Children(deployer, "pulumi")
	switch t.victim {
	case deployerAlone:
		return true, processes.Send(deployer, signal)
	case engineAlone:
		for _, pid := range engines {
			if err := processes.Send(pid, signal); err != nil {
				return false, err
			}
		}
		return len(engines) > 0, nil
	}
	return true, processes.Fell(deployer, "pulumi", signal)
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
