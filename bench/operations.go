package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// sample is one run of a command: how long it took, how long the engine ran, and how long it waited for the simulated
// AWS. The rest is what the deployer adds.
type sample struct{ total, engine, waiting time.Duration }

func (s sample) added() time.Duration { return s.total - s.engine - s.waiting }

// operations shows what the deployer adds to the engine's own time, in a fresh simulated account.
func (f fixture) operations() error {
	up := []string{"up", "--env", "staging", "--image-tag", "1.41.7-9f8e7d6c5", "--yes"}
	newTag := []string{"up", "--env", "staging", "--image-tag", "1.41.8-abc123def", "--yes"}
	return table("operation\ttotal\tengine\twaiting\tadded\tadded/engine\t", func(row func(string, ...any)) error {
		for _, operation := range []struct {
			name string
			args []string
		}{
			{"first up of staging", up},
			{"up that changes nothing", up},
			{"up of a new tag", newTag},
			{"preview", []string{"preview", "--env", "staging"}},
		} {
			took, err := f.measure(operation.args)
			if err != nil {
				return err
			}
			row("%s\t%s\t%s\t%s\t%s\t%.2f", operation.name, seconds(took.total), seconds(took.engine), seconds(took.waiting),
				seconds(took.added()), took.added().Seconds()/took.engine.Seconds())
		}
		return nil
	})
}

// maxAddedShare is the most of a deployment of code that the deployer may take for itself.
const maxAddedShare = 0.10

// codeOnly shows how much of a deployment of code is neither the engine's time nor waiting for the simulated AWS. The
// deployment's record says so itself: the engine's look at what waits for a full deployment runs beside the rollout,
// and a stopwatch around the engine would count that time twice.
func (f fixture) codeOnly() error {
	return table("code alone\ttotal\tengine\twaiting\tadded\tadded/total\tat most\t", func(row func(string, ...any)) error {
		for _, tag := range []string{"1.41.7-9f8e7d6c5", "1.41.8-abc123def"} {
			result, err := f.up(tag, "--code-only")
			if err != nil {
				return err
			}
			took := sample{total: result.Ended.Sub(result.Started), engine: duration(result.EngineSeconds), waiting: duration(result.WaitingSeconds)}
			share := took.added().Seconds() / took.total.Seconds()
			row("up of %s\t%s\t%s\t%s\t%s\t%.2f\t%.2f", tag, seconds(took.total), seconds(took.engine), seconds(took.waiting),
				seconds(took.added()), share, maxAddedShare)
		}
		return nil
	})
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// measure runs the deployer locally.
func (f fixture) measure(args []string) (sample, error) {
	self, err := os.Executable()
	if err != nil {
		return sample{}, fmt.Errorf("find bench's own binary: %w", err)
	}
	notes := filepath.Join(f.dir, "notes")
	if err := os.RemoveAll(notes); err != nil {
		return sample{}, fmt.Errorf("forget earlier notes: %w", err)
	}
	cmd := exec.Command(f.deployer, append(args, "--local", "--state-dir", f.state(), "--pulumi", self, "--quiet", "--format", "json")...)
	cmd.Env = append(os.Environ(), engineVariable+"="+f.engine, notesVariable+"="+notes)
	cmd.Stderr = os.Stderr
	began := time.Now()
	out, err := cmd.Output()
	took := sample{total: time.Since(began)}
	if err != nil {
		return took, fmt.Errorf("run deployer %s: %w", strings.Join(args, " "), err)
	}
	var result struct {
		WaitingSeconds float64 `json:"waitingSeconds"`
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return took, fmt.Errorf("read the result of deployer %s: %w", strings.Join(args, " "), err)
	}
	took.waiting = duration(result.WaitingSeconds)
	took.engine, err = sumTimings(notes)
	return took, err
}

// state is the simulated account's directory.
func (f fixture) state() string { return filepath.Join(f.dir, "state") }

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

// sumTimings adds up the notes.
func sumTimings(notes string) (total time.Duration, err error) {
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
