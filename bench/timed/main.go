// Timed runs the Pulumi engine of BENCH_ENGINE with its own arguments and appends how long that took to the file of BENCH_NOTES. It is a
// program of its own because its start counts as the deployer's time: it imports nothing that initialises much.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

func main() {
	os.Exit(timeEngine(os.Getenv("BENCH_ENGINE"), os.Getenv("BENCH_NOTES"), os.Args[1:]))
}

// timeEngine runs the real engine, records how long it took, and returns its exit code.
func timeEngine(engine, notes string, args []string) int {
	cmd := exec.Command(engine, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	file, noteErr := os.OpenFile(notes, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if noteErr == nil {
		_, noteErr = fmt.Fprintln(file, took)
		noteErr = errors.Join(noteErr, file.Close())
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil || noteErr != nil:
		fmt.Fprintln(os.Stderr, "bench:", errors.Join(err, noteErr))
		return 1
	}
	return 0
}
