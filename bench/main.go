// Bench measures the overhead of the deployer over the engine, and of a report over the latency of its AWS calls, as
// ratios from one run on one machine: seconds depend on the machine, ratios hardly do.
//
//	go run ./bench        after `make build`
//
// It starts the deployer as users do. The engine that it passes to the deployer is the program timed, which runs the real
// engine and records how long that took. It has no version in its build information: the deployer runs it for that first, as it
// runs a released Pulumi.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"text/tabwriter"
	"time"
)

func main() {
	if err := bench(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench() error {
	dir, err := os.MkdirTemp("", "deployer-bench-")
	if err != nil {
		return fmt.Errorf("create a working directory: %w", err)
	}
	defer os.RemoveAll(dir)
	f, err := newFixture(dir)
	if err != nil {
		return err
	}
	for _, measure := range []func() error{f.startUp, f.entrypointStart, f.operations, f.codeOnly, f.graph, f.status, f.tokens} {
		if err := measure(); err != nil {
			return err
		}
	}
	return nil
}

// table prints rows in columns.
func table(header string, rows func(row func(format string, args ...any)) error) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, header)
	err := rows(func(format string, args ...any) { fmt.Fprintf(w, format+"\t\n", args...) })
	w.Flush()
	fmt.Println()
	return err
}

// fixture holds what the measurements need.
type fixture struct {
	// deployer, entrypoint and engine are the binaries, timed is the engine that is timed; dir is a temporary directory.
	deployer, entrypoint, engine, timed, dir string
}

func newFixture(dir string) (fixture, error) {
	f := fixture{dir: dir}
	for path, to := range map[string]*string{"bin/deployer": &f.deployer, "bin/entrypoint": &f.entrypoint, "bin/pulumi": &f.engine} {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return f, err
		}
		if _, err := os.Stat(absolute); err != nil {
			return f, fmt.Errorf("%s is missing: run `make build` first", path)
		}
		*to = absolute
	}
	timed, err := build(dir, "timed", "./bench/timed")
	f.timed = timed
	return f, err
}

// build compiles a program into a directory, and returns the path of its binary.
func build(dir, name, source string) (string, error) {
	binary := filepath.Join(dir, name)
	if out, err := exec.Command("go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return binary, nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
