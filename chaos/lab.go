package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"time"
)

// base is a prepared account.
type base string

// The prepared accounts.
const (
	// fresh holds nothing, deployed an environment with the old image, twice one that got the new image after it.
	fresh    base = "fresh"
	deployed base = "deployed"
	twice    base = "twice"
	// dead is what a first deployment left that was killed in the middle of provision.
	dead base = "dead"
)

// lab is where trials happen: the deployer's binary, a directory, and how long each scenario takes undisturbed.
type lab struct {
	deployer, root, dir string

	usual map[string]course
}

// course is how a command went undisturbed.
type course struct {
	marks []mark
	took  time.Duration
}

// mark is when a phase began, after the command's start.
type mark struct {
	phase string
	at    time.Duration
}

// moment is where a fraction of the whole lies: in which phase, and how long after its beginning. A phase is waited for, so that a
// slower machine meets the same phase.
func (c course) moment(fraction float64) (phase string, after time.Duration) {
	at := time.Duration(fraction * float64(c.took))
	phase, after = beginning, at
	for _, m := range c.marks {
		if m.at <= at {
			phase, after = m.phase, at-m.at
		}
	}
	return phase, after
}

// beginning is the time before the first phase.
const beginning = "start"

// newLab is a lab for the binaries of the project in the working directory.
func newLab() (*lab, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the project: %w", err)
	}
	for _, binary := range []string{"deployer", "pulumi"} {
		if _, err := os.Stat(filepath.Join(root, "bin", binary)); err != nil {
			return nil, fmt.Errorf("bin/%s is missing: run `make build` first, and this in the project's root", binary)
		}
	}
	dir, err := os.MkdirTemp("", "deployer-chaos-")
	if err != nil {
		return nil, fmt.Errorf("make a directory to work in: %w", err)
	}
	return &lab{deployer: filepath.Join(root, "bin", "deployer"), root: root, dir: dir, usual: map[string]course{}}, nil
}

func (l *lab) close() { _ = os.RemoveAll(l.dir) }

// prepare makes the accounts that the trials begin with, and measures their scenarios. A crowd begins with a deployed environment.
func (l *lab) prepare(ctx context.Context, trials []trial, crowd bool) error {
	if err := os.MkdirAll(l.basis(fresh), 0o700); err != nil {
		return fmt.Errorf("prepare the accounts: %w", err)
	}
	needs := func(b base) bool {
		return slices.ContainsFunc(trials, func(t trial) bool { return t.scenario.base == b })
	}
	if needs(dead) || slices.ContainsFunc(trials, func(t trial) bool { return t.again > 0 }) {
		if err := l.measure(ctx, firstUp); err != nil {
			return err
		}
	}
	if crowd || needs(deployed) || needs(twice) {
		if err := l.deploy(ctx, l.basis(deployed), oldTag); err != nil {
			return err
		}
	}
	if needs(twice) {
		if _, err := l.copyOf(deployed, filepath.Base(l.basis(twice))); err != nil {
			return err
		}
		if err := l.deploy(ctx, l.basis(twice), newTag); err != nil {
			return err
		}
	}
	if needs(dead) {
		if err := l.kill(ctx, l.basis(dead)); err != nil {
			return err
		}
	}
	for _, t := range trials {
		if err := l.measure(ctx, t.scenario); err != nil {
			return err
		}
	}
	return nil
}

// deploy deploys an image undisturbed.
func (l *lab) deploy(ctx context.Context, dir, tag string) error {
	if out, err := l.command(ctx, dir, "up", "--image-tag", tag).CombinedOutput(); err != nil {
		return fmt.Errorf("prepare an environment with %s: %w\n%s", tag, err, out)
	}
	return nil
}

// kill kills a first deployment in the middle of provision.
func (l *lab) kill(ctx context.Context, dir string) error {
	met, err := l.interrupt(ctx, dir, trial{signal: "SIGKILL", victim: both, moment: 0.5}, l.usual[firstUp.name], firstUp.args)
	if err == nil && met.over {
		err = errors.New("it had ended before")
	}
	if err != nil {
		return fmt.Errorf("prepare a deployment that died: %w", err)
	}
	return nil
}

// measure runs a scenario undisturbed, once.
func (l *lab) measure(ctx context.Context, s scenario) error {
	if _, known := l.usual[s.name]; known {
		return nil
	}
	dir, err := l.copyOf(s.base, "measured")
	if err != nil {
		return err
	}
	said := &transcript{began: time.Now()}
	cmd := l.command(ctx, dir, s.args...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run `%s` undisturbed: %w\n%s", s.name, err, said)
	}
	l.usual[s.name] = course{said.marks, time.Since(said.began)}
	fmt.Printf("`%s` takes %s undisturbed\n", s.name, l.usual[s.name].took.Round(100*time.Millisecond))
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear %s: %w", dir, err)
	}
	return nil
}

func (l *lab) basis(b base) string { return filepath.Join(l.dir, "base-"+string(b)) }

// copyOf is a copy of a prepared account under a name.
func (l *lab) copyOf(b base, name string) (string, error) {
	dir := filepath.Join(l.dir, name)
	if err := os.CopyFS(dir, os.DirFS(l.basis(b))); err != nil {
		return "", fmt.Errorf("copy the prepared account: %w", err)
	}
	return dir, nil
}

// A target is an environment, and the project whose file describes it.
type target struct{ env, project string }

// dev returns the target of most trials.
func (l *lab) dev() target { return target{env: "dev", project: l.root} }

// command is the deployer in a simulated account.
func (l *lab) command(ctx context.Context, stateDir string, args ...string) *exec.Cmd {
	return l.commandAt(ctx, stateDir, l.dev(), args...)
}

func (l *lab) commandAt(ctx context.Context, stateDir string, where target, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, l.deployer, append(args, "--env", where.env, "--local", "--yes", "--no-color")...)
	cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+where.project, "DEPLOYER_STATE_DIR="+stateDir, "TMPDIR="+l.dir,
		"DEPLOYER_PULUMI="+filepath.Join(l.root, "bin", "pulumi"), "AWS_EC2_METADATA_DISABLED=true")
	return cmd
}

// ended is what a command that has ended left to read.
type ended struct {
	code   int
	output string
	took   time.Duration
}

// run runs the deployer to its end.
func (l *lab) run(ctx context.Context, stateDir string, args ...string) (ended, error) {
	return l.runAt(ctx, stateDir, l.dev(), args...)
}

func (l *lab) runAt(ctx context.Context, stateDir string, where target, args ...string) (ended, error) {
	began := time.Now()
	out, err := l.commandAt(ctx, stateDir, where, args...).CombinedOutput()
	code, err := exitCode(err)
	return ended{code, string(out), time.Since(began)}, err
}

// exitCode is a command's; killed where a signal ended it.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit):
		return exit.ExitCode(), nil
	}
	return 0, err
}

// all runs the trials, several at once, and prints a line for each.
func (l *lab) all(ctx context.Context, trials []trial, o options) []result {
	return inParallel(ctx, o, trials, func(t trial) result { return l.try(ctx, t, o.only > 0) }, func(r result) error { return r.err })
}

// inParallel tries the trials, several at once, and prints each result and its error. It begins none after the limit.
func inParallel[T any, R fmt.Stringer](ctx context.Context, o options, trials []T, try func(T) R, failed func(R) error) []R {
	var mu sync.Mutex
	var results []R
	began := time.Now()
	next := make(chan T)
	go func() {
		defer close(next)
		for _, t := range trials {
			if ctx.Err() != nil || time.Since(began) > o.limit {
				return
			}
			next <- t
		}
	}()
	var running sync.WaitGroup
	for range o.parallel {
		running.Go(func() {
			for t := range next {
				r := try(t)
				mu.Lock()
				results = append(results, r)
				fmt.Println(r)
				if err := failed(r); err != nil {
					fmt.Println(err)
				}
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return results
}

// transcript collects what a running command says, and when its phases begin.
type transcript struct {
	began time.Time

	mu    sync.Mutex
	text  bytes.Buffer
	marks []mark
}

// started is the line that begins a phase.
var started = regexp.MustCompile(`(?m)^([a-z]+) +started`)

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range started.FindAllSubmatch(p, -1) { // the deployer writes whole lines
		t.marks = append(t.marks, mark{string(line[1]), time.Since(t.began)})
	}
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// phase is the one that was started last, or the beginning before any.
func (t *transcript) phase() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.marks) == 0 {
		return beginning
	}
	return t.marks[len(t.marks)-1].phase
}

// reached reports whether the phase has begun.
func (t *transcript) reached(phase string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return phase == beginning || slices.ContainsFunc(t.marks, func(m mark) bool { return m.phase == phase })
}
