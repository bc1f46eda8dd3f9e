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
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/internal/procs"
)

// base names a prepared account.
type base string

const (
	// fresh is empty, deployed has an environment with the old image, deployedTwice one that got the new image after
	// it.
	fresh         base = "fresh"
	deployed      base = "deployed"
	deployedTwice base = "twice"
	// crashed is what a first deployment left that was killed in the middle of provision.
	crashed base = "dead"
)

// harness runs trials with the deployer's binary in a temporary directory. It knows how long each scenario takes
// without a signal.
type harness struct {
	deployer, root, dir string

	baselines map[string]timing
}

// timing is when the phases of a command started, and how long it took.
type timing struct {
	phases []phaseStart
	took   time.Duration
}

// phaseStart is when a phase started, measured from the command's start.
type phaseStart struct {
	phase string
	at    time.Duration
}

// phaseAt returns the phase that runs at a fraction of the total time, and the time since its start. The harness waits
// for the phase, so that the signal hits the same phase on a slower machine.
func (c timing) phaseAt(fraction float64) (phase string, after time.Duration) {
	at := time.Duration(fraction * float64(c.took))
	phase, after = startPhase, at
	for _, m := range c.phases {
		if m.at <= at {
			phase, after = m.phase, at-m.at
		}
	}
	return phase, after
}

// startPhase is the time before the first phase.
const startPhase = "start"

// newHarness returns a harness for the binaries of the project in the working directory.
func newHarness() (*harness, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the project: %w", err)
	}
	for _, binary := range []string{"deployer", "pulumi"} {
		if _, err := os.Stat(filepath.Join(root, "bin", binary)); err != nil {
			return nil, fmt.Errorf("bin/%s is missing: run `make build` first, and chaos in the project's root", binary)
		}
	}
	dir, err := os.MkdirTemp("", "deployer-chaos-")
	if err != nil {
		return nil, fmt.Errorf("create a working directory: %w", err)
	}
	return &harness{deployer: filepath.Join(root, "bin", "deployer"), root: root, dir: dir, baselines: map[string]timing{}}, nil
}

func (h *harness) close() { _ = os.RemoveAll(h.dir) }

// prepare creates the accounts that the trials start with, and measures their scenarios. Concurrent deployments start
// with a deployed environment.
func (h *harness) prepare(ctx context.Context, trials []trial, concurrent bool) error {
	if err := os.MkdirAll(h.baseDir(fresh), 0o700); err != nil {
		return fmt.Errorf("prepare the accounts: %w", err)
	}
	needs := func(b base) bool {
		return slices.ContainsFunc(trials, func(t trial) bool { return t.scenario.base == b })
	}
	if needs(crashed) || slices.ContainsFunc(trials, func(t trial) bool { return t.secondKill > 0 }) {
		if err := h.measure(ctx, firstUp); err != nil {
			return err
		}
	}
	if concurrent || needs(deployed) || needs(deployedTwice) {
		if err := h.deploy(ctx, h.baseDir(deployed), oldTag); err != nil {
			return err
		}
	}
	if needs(deployedTwice) {
		dir, err := h.copyOf(deployed, filepath.Base(h.baseDir(deployedTwice)))
		if err != nil {
			return err
		}
		if err := h.deploy(ctx, dir, newTag); err != nil {
			return err
		}
	}
	if needs(crashed) {
		if err := h.prepareCrashed(ctx, h.baseDir(crashed)); err != nil {
			return err
		}
	}
	for _, t := range trials {
		if err := h.measure(ctx, t.scenario); err != nil {
			return err
		}
	}
	return nil
}

func (h *harness) deploy(ctx context.Context, dir, tag string) error {
	return h.record(ctx, h.dev(dir), "up "+tag, "up", "--image-tag", tag)
}

// prepareCrashed kills a first deployment in the middle of provision.
func (h *harness) prepareCrashed(ctx context.Context, dir string) error {
	hit, err := h.interrupt(ctx, h.dev(dir), trial{signal: "SIGKILL", to: deployerAndEngine, fraction: 0.5}, h.baselines[firstUp.name], firstUp.args)
	if err == nil && hit.exited {
		err = errors.New("it had exited before")
	}
	if err != nil {
		return fmt.Errorf("prepare a crashed deployment: %w", err)
	}
	return nil
}

// measure runs a scenario once without a signal and records its baseline.
func (h *harness) measure(ctx context.Context, s scenario) error {
	if _, known := h.baselines[s.name]; known {
		return nil
	}
	dir, err := h.copyOf(s.base, "measured")
	if err != nil {
		return err
	}
	if err := h.record(ctx, h.dev(dir), s.name, s.args...); err != nil {
		return err
	}
	fmt.Printf("`%s` takes %s without a signal\n", s.name, h.baselines[s.name].took.Round(100*time.Millisecond))
	return os.RemoveAll(dir)
}

// record runs a command without a signal and records its baseline under a name.
func (h *harness) record(ctx context.Context, a account, name string, args ...string) error {
	output := &transcript{began: time.Now()}
	cmd := h.command(ctx, a, args...)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run `%s` without a signal: %w\n%s", name, err, output)
	}
	h.baselines[name] = timing{output.phases, time.Since(output.began)}
	return nil
}

func (h *harness) baseDir(b base) string { return filepath.Join(h.dir, "base-"+string(b)) }

// copyOf copies a prepared account to a new directory.
func (h *harness) copyOf(b base, name string) (string, error) {
	dir := filepath.Join(h.dir, name)
	if err := os.CopyFS(dir, os.DirFS(h.baseDir(b))); err != nil {
		return "", fmt.Errorf("copy the prepared account: %w", err)
	}
	return dir, nil
}

// account is the directory of a simulated account, an environment in it, and the project whose file describes that.
type account struct{ dir, env, project string }

func (h *harness) dev(dir string) account { return account{dir: dir, env: "dev", project: h.root} }

// command returns a command that runs the deployer in a simulated account.
func (h *harness) command(ctx context.Context, a account, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, h.deployer, append(args, "--env", a.env, "--local", "--yes", "--no-color")...)
	cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+a.project, "DEPLOYER_STATE_DIR="+a.dir, "TMPDIR="+h.dir,
		"DEPLOYER_PULUMI="+filepath.Join(h.root, "bin", "pulumi"), "AWS_EC2_METADATA_DISABLED=true")
	return cmd
}

// commandResult is the outcome of a command.
type commandResult struct {
	code   int
	output string
	took   time.Duration
}

// run runs the deployer and waits for it.
func (h *harness) run(ctx context.Context, a account, args ...string) (commandResult, error) {
	began := time.Now()
	out, err := h.command(ctx, a, args...).CombinedOutput()
	code, err := exitCode(err)
	return commandResult{code, string(out), time.Since(began)}, err
}

// mustSucceed runs commands in turn, and returns an error for the first that does not exit with 0.
func (h *harness) mustSucceed(ctx context.Context, a account, commands ...[]string) error {
	for _, args := range commands {
		done, err := h.run(ctx, a, args...)
		if err != nil {
			return err
		}
		if done.code != 0 {
			return fmt.Errorf("`%s` exits with %d:\n%s", strings.Join(args, " "), done.code, done.output)
		}
	}
	return nil
}

// remove deletes a trial's directory, or keeps it outside the harness.
func (h *harness) remove(dir string, number int, keep bool) error {
	if keep {
		saved := fmt.Sprintf("%s/deployer-chaos-kept-%d", os.TempDir(), number)
		_ = os.RemoveAll(saved)
		_ = os.Rename(dir, saved)
		fmt.Println("its directory was kept:", saved)
	}
	return os.RemoveAll(dir)
}

// exitCode returns a command's exit code, or killed if a signal ended it.
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

func (h *harness) runAll(ctx context.Context, trials []trial, o options) []result {
	return inParallel(ctx, o, trials, func(t trial) result { return h.runTrial(ctx, t, o.only > 0) }, func(r result) error { return r.err })
}

// inParallel runs the trials concurrently and prints each result and its error. It starts none after the limit.
func inParallel[T any, R fmt.Stringer](ctx context.Context, o options, trials []T, run func(T) R, failed func(R) error) []R {
	var (
		mu      sync.Mutex
		results []R
		running errgroup.Group
	)
	running.SetLimit(o.parallel)
	began := time.Now()
	for _, t := range trials {
		running.Go(func() error {
			if ctx.Err() != nil || time.Since(began) > o.limit {
				return nil
			}
			r := run(t)
			mu.Lock()
			defer mu.Unlock()
			results = append(results, r)
			fmt.Println(r)
			if err := failed(r); err != nil {
				fmt.Println(err)
			}
			return nil
		})
	}
	_ = running.Wait()
	return results
}

// transcript collects a running command's output and the start times of its phases.
type transcript struct {
	began time.Time

	mu     sync.Mutex
	text   bytes.Buffer
	phases []phaseStart
}

// phaseStarted matches the line that starts a phase.
var phaseStarted = regexp.MustCompile(`(?m)^([a-z]+) +started`)

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range phaseStarted.FindAllSubmatch(p, -1) { // the deployer writes whole lines
		t.phases = append(t.phases, phaseStart{string(line[1]), time.Since(t.began)})
	}
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// phase returns the phase that was started last, or startPhase.
func (t *transcript) phase() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.phases) == 0 {
		return startPhase
	}
	return t.phases[len(t.phases)-1].phase
}

func (t *transcript) reached(phase string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return phase == startPhase || slices.ContainsFunc(t.phases, func(m phaseStart) bool { return m.phase == phase })
}

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
