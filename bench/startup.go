package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// starts is how often each program is started for a median.
const starts = 21

// startUp compares the deployer's start-up time with that of an empty Go program.
func (f fixture) startUp() error {
	empty, err := f.emptyProgram()
	if err != nil {
		return err
	}
	return table("start-up\tmedian\tof an empty program\t", func(row func(string, ...any)) error {
		base, _, err := median(os.Environ(), empty)
		if err != nil {
			return err
		}
		row("an empty Go program\t%.1f ms\t1.0", milliseconds(base))
		for _, args := range [][]string{{"--help"}, {"url", "--env", "staging"}} {
			took, _, err := median(os.Environ(), f.deployer, args...)
			if err != nil {
				return err
			}
			row("deployer %s\t%.1f ms\t%.1f", args[0], milliseconds(took), took.Seconds()/base.Seconds())
		}
		return nil
	})
}

func (f fixture) emptyProgram() (string, error) {
	source := filepath.Join(f.dir, "empty.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return "", fmt.Errorf("write an empty program: %w", err)
	}
	return build(f.dir, "empty", source)
}

// median returns the median wall time of a program with only PATH and these variables set, and the median CPU time,
// which depends less on the load of the machine.
func median(environment []string, program string, args ...string) (took, cpu time.Duration, err error) {
	times, cpus := make([]time.Duration, starts), make([]time.Duration, starts)
	for i := range times {
		command := exec.Command(program, args...)
		command.Env = append([]string{"PATH=" + os.Getenv("PATH")}, environment...)
		began := time.Now()
		if out, err := command.CombinedOutput(); err != nil {
			return 0, 0, fmt.Errorf("run %s %v: %w\n%s", program, args, err, out)
		}
		times[i] = time.Since(began)
		cpus[i] = command.ProcessState.UserTime() + command.ProcessState.SystemTime()
	}
	slices.Sort(times)
	slices.Sort(cpus)
	return times[starts/2], cpus[starts/2], nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
