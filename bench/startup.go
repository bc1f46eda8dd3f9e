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
		base, err := median(empty)
		if err != nil {
			return err
		}
		row("an empty Go program\t%.1f ms\t1.0", milliseconds(base))
		for _, args := range [][]string{{"--help"}, {"url", "--env", "staging"}} {
			took, err := median(f.deployer, args...)
			if err != nil {
				return err
			}
			row("deployer %s\t%.1f ms\t%.1f", args[0], milliseconds(took), took.Seconds()/base.Seconds())
		}
		return nil
	})
}

func (f fixture) emptyProgram() (string, error) {
	source, binary := filepath.Join(f.dir, "empty.go"), filepath.Join(f.dir, "empty")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		return "", fmt.Errorf("write an empty program: %w", err)
	}
	if out, err := exec.Command("go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build an empty program: %w\n%s", err, out)
	}
	return binary, nil
}

func median(program string, args ...string) (time.Duration, error) {
	times := make([]time.Duration, starts)
	for i := range times {
		began := time.Now()
		if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("run %s %v: %w\n%s", program, args, err, out)
		}
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return times[starts/2], nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
