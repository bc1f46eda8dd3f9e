package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// sample is one run of a command: its total time, the engine's time, and the time spent waiting for the simulated AWS.
// The rest is overhead.
type sample struct{ total, engine, waiting time.Duration }

func (s sample) added() time.Duration { return s.total - s.engine - s.waiting }

// repeats counts the runs of what changes nothing, of which the median is taken: each takes a second, and another process may take a part.
const repeats = 5

// operations prints the overhead over the engine's own time, in a new simulated account.
func (f fixture) operations() error {
	up := []string{"up", "--env", "staging", "--image-tag", "1.41.7-9f8e7d6c5", "--yes"}
	newTag := []string{"up", "--env", "staging", "--image-tag", "1.41.8-abc123def", "--yes"}
	return table("operation\ttotal\tengine\twaiting\tadded\tadded/engine\t", func(row func(string, ...any)) error {
		for _, operation := range []struct {
			name string
			args []string
			runs int
		}{
			{"first up of staging", up, 1},
			{"up that changes nothing", up, repeats},
			{"up of a new tag", newTag, 1},
			{"preview", []string{"preview", "--env", "staging"}, repeats},
		} {
			var all []sample
			for range operation.runs {
				took, err := f.measure(operation.args)
				if err != nil {
					return err
				}
				all = append(all, took)
			}
			slices.SortFunc(all, func(x, y sample) int { return cmp.Compare(x.added(), y.added()) })
			took := all[len(all)/2]
			row("%s\t%s\t%s\t%s\t%s\t%.2f", operation.name, seconds(took.total), seconds(took.engine), seconds(took.waiting),
				seconds(took.added()), took.added().Seconds()/took.engine.Seconds())
		}
		return nil
	})
}

// maxAddedShare is the maximum share of overhead in a deployment of code.
const maxAddedShare = 0.10

// codeOnly prints which share of a deployment of code is neither the engine's time nor waiting for the simulated AWS, and how long
// the engine takes when it updates the same task definitions and services with the whole program, in the last of its runs of a full
// deployment. The other figures come from the deployment's record: the engine's preview of pending changes runs concurrently with
// the rollout, so timing the engine from outside would count it twice.
func (f fixture) codeOnly() error {
	return table("code alone\ttotal\tengine\twaiting\tadded\tadded/total\tat most\tthe engine's own update\t", func(row func(string, ...any)) error {
		for _, tag := range []string{"1.41.7-9f8e7d6c5", "1.41.8-abc123def"} {
			if _, err := f.measure([]string{"up", "--env", "staging", "--image-tag", tag, "--yes"}); err != nil {
				return err
			}
			runs, err := readTimings(f.notes())
			if err != nil {
				return err
			}
			if _, err := f.measure([]string{"rollback", "--env", "staging", "--yes"}); err != nil {
				return err
			}
			var result history.Deployment
			args := []string{"up", "--env", "staging", "--image-tag", tag, "--yes", "--code-only"}
			if err := f.deploy(f.engine, args, &result); err != nil {
				return err
			}
			took := sample{total: result.Ended.Sub(result.Started), engine: duration(result.EngineSeconds), waiting: duration(result.WaitingSeconds)}
			share := took.added().Seconds() / took.total.Seconds()
			row("up of %s\t%s\t%s\t%s\t%s\t%.2f\t%.2f\t%s", tag, seconds(took.total), seconds(took.engine), seconds(took.waiting),
				seconds(took.added()), share, maxAddedShare, seconds(runs[len(runs)-1]))
		}
		return nil
	})
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func (f fixture) measure(args []string) (sample, error) {
	if err := os.RemoveAll(f.notes()); err != nil {
		return sample{}, fmt.Errorf("remove earlier notes: %w", err)
	}
	var result struct {
		WaitingSeconds float64 `json:"waitingSeconds"`
	}
	began := time.Now()
	err := f.deploy(f.timed, args, &result)
	took := sample{total: time.Since(began), waiting: duration(result.WaitingSeconds)}
	if err == nil {
		took.engine, err = sumTimings(f.notes())
	}
	return took, err
}

// deploy runs the deployer in the simulated account with an engine, and decodes its JSON output into result.
func (f fixture) deploy(engine string, args []string, result any) error {
	cmd := exec.Command(f.deployer, append(args, "--local", "--state-dir", f.state(), "--pulumi", engine, "--quiet", "--format", "json")...)
	cmd.Env = append(os.Environ(), "BENCH_ENGINE="+f.engine, "BENCH_NOTES="+f.notes())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, result)
	}
	if err != nil {
		return fmt.Errorf("run deployer %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

func (f fixture) notes() string { return filepath.Join(f.dir, "notes") }

func (f fixture) state() string { return filepath.Join(f.dir, "state") }

// sumTimings returns the total of the recorded times.
func sumTimings(notes string) (total time.Duration, err error) {
	runs, err := readTimings(notes)
	for _, took := range runs {
		total += took
	}
	return total, err
}

// readTimings returns the recorded times of the engine's runs, at least one.
func readTimings(notes string) (runs []time.Duration, err error) {
	content, err := os.ReadFile(notes)
	for _, line := range strings.Fields(string(content)) {
		took, invalid := time.ParseDuration(line)
		runs, err = append(runs, took), errors.Join(err, invalid)
	}
	if err == nil && len(runs) == 0 {
		err = errors.New("it did not run")
	}
	if err != nil {
		return nil, fmt.Errorf("read how long the engine took: %w", err)
	}
	return runs, nil
}
