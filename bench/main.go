// Bench measures what the deployer adds to what it drives, and how near a report comes to the least time that its calls
// to AWS need, as ratios from one run on one machine: seconds depend on the machine, ratios hardly do.
//
//	go run ./bench        after `make build`
//
// It starts the deployer as users do. The engine that it hands to the deployer is bench itself, which runs the real
// one and notes how long that took.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"
)

// The variables that turn bench into the engine's stopwatch.
const (
	engineVariable = "BENCH_ENGINE"
	notesVariable  = "BENCH_NOTES"
)

func main() {
	if engine := os.Getenv(engineVariable); engine != "" {
		os.Exit(timeEngine(engine, os.Getenv(notesVariable), os.Args[1:]))
	}
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	dir, err := os.MkdirTemp("", "deployer-bench-")
	if err != nil {
		return fmt.Errorf("make a directory to work in: %w", err)
	}
	defer os.RemoveAll(dir)
	b, err := newSetting(dir)
	if err != nil {
		return err
	}
	if err := b.startUp(); err != nil {
		return err
	}
	if err := b.entrypointStart(); err != nil {
		return err
	}
	if err := b.operations(); err != nil {
		return err
	}
	if err := b.watch(); err != nil {
		return err
	}
	if err := b.codeOnly(); err != nil {
		return err
	}
	if err := b.graph(); err != nil {
		return err
	}
	if err := b.status(); err != nil {
		return err
	}
	return b.tokens()
}

// table prints rows as they come, in columns.
func table(header string, rows func(row func(format string, args ...any)) error) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, header)
	err := rows(func(format string, args ...any) { fmt.Fprintf(w, format+"\t\n", args...) })
	w.Flush()
	fmt.Println()
	return err
}

// setting is where the measurements happen.
type setting struct {
	// deployer, entrypoint and engine are the binaries, dir is scratch space.
	deployer, entrypoint, engine, dir string
}

func newSetting(dir string) (setting, error) {
	s := setting{dir: dir}
	for path, to := range map[string]*string{"bin/deployer": &s.deployer, "bin/entrypoint": &s.entrypoint, "bin/pulumi": &s.engine} {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return s, err
		}
		if _, err := os.Stat(absolute); err != nil {
			return s, fmt.Errorf("%s is missing: run `make build` first", path)
		}
		*to = absolute
	}
	return s, nil
}

// seconds writes a duration as a number of seconds.
func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
