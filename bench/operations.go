package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// operations compares what a command takes with what the engine takes of it, in a fresh simulated account. The rest is
// waiting for the simulated AWS, and the deployer's own.
func (s setting) operations() error {
	up := []string{"up", "--env", "staging", "--image-tag", "1.41.8-abc123def", "--yes"}
	return table("operation\ttotal\tengine\ttotal/engine\t", func(row func(string, ...any)) error {
		for _, operation := range []struct {
			name string
			args []string
		}{
			{"first up of staging", up},
			{"up that changes nothing", up},
			{"preview", []string{"preview", "--env", "staging"}},
		} {
			total, engine, err := s.measure(operation.args)
			if err != nil {
				return err
			}
			row("%s\t%s\t%s\t%.2f", operation.name, seconds(total), seconds(engine), total.Seconds()/engine.Seconds())
		}
		return nil
	})
}

// measure runs the deployer locally and returns how long it took, and how long the engine ran meanwhile.
func (s setting) measure(args []string) (total, engine time.Duration, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, 0, fmt.Errorf("find bench's own binary: %w", err)
	}
	notes := filepath.Join(s.dir, "notes")
	if err := os.RemoveAll(notes); err != nil {
		return 0, 0, fmt.Errorf("forget earlier notes: %w", err)
	}
	cmd := exec.Command(s.deployer, append(args, "--local", "--state-dir", s.state(), "--pulumi", self)...)
	cmd.Env = append(os.Environ(), engineVariable+"="+s.engine, notesVariable+"="+notes)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("run deployer %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	total = time.Since(began)
	engine, err = sum(notes)
	return total, engine, err
}

// state is the simulated account's directory.
func (s setting) state() string { return filepath.Join(s.dir, "state") }

// timeEngine runs the real engine in bench's place, notes how long it took, and returns its exit code.
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

// sum adds up the notes.
func sum(notes string) (total time.Duration, err error) {
	file, err := os.Open(notes)
	if err != nil {
		return 0, fmt.Errorf("read how long the engine took: %w", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		took, err := time.ParseDuration(lines.Text())
		if err != nil {
			return 0, fmt.Errorf("read how long the engine took: %w", err)
		}
		total += took
	}
	return total, nil
}
