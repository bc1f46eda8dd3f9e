package main

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/internal/procs"
)

var signals = map[string]unix.Signal{"SIGKILL": unix.SIGKILL, "SIGINT": unix.SIGINT, "SIGTERM": unix.SIGTERM}

// sendSignal sends the signal, and reports whether there was a process to receive it.
func sendSignal(t trial, deployer int) (bool, error) {
	signal := signals[t.signal]
	engines := procs.Children(deployer, "pulumi")
	switch t.to {
	case deployerOnly:
		return true, procs.Send(deployer, signal)
	case engineOnly:
		for _, pid := range engines {
			if err := procs.Send(pid, signal); err != nil {
				return false, err
			}
		}
		return len(engines) > 0, nil
	}
	return true, procs.KillTree(deployer, "pulumi", signal)
}

// processesIn returns the command lines of the processes whose environment names the directory, by process ID.
func processesIn(dir string) map[int]string {
	found := map[int]string{}
	for _, pid := range procs.All() {
		environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || !bytes.Contains(environment, []byte("DEPLOYER_STATE_DIR="+dir+"\x00")) {
			continue
		}
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		found[pid] = string(bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
	}
	return found
}
