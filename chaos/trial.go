package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	exitTimeout     = 30 * time.Second
	pollInterval    = 5 * time.Millisecond
	convergeTimeout = 3 * time.Minute
)

// result is the outcome of a trial.
type result struct {
	trial
	// phase is the phase in which the signal was sent; exited is set if the command, or the one that was to repair it,
	// had exited before.
	phase  string
	exited bool
	// code is the command's exit code, or killed.
	code int
	// repairs are the repairs that the next `up` printed, spare is the number of unused task definitions.
	repairs []string
	spare   int
	// took is how long the `up` that converged took.
	took time.Duration
	err  error
}

func (r result) String() string {
	mark, what := "✓", ""
	if r.err != nil {
		mark, what = "✗", "  "+strings.SplitN(r.err.Error(), "\n", 2)[0]
	}
	for _, repair := range r.repairs {
		what += "\n      " + repair
	}
	return fmt.Sprintf("%4d %s %-9s %s%s", r.number, mark, r.phase, r.trial, what)
}

func (h *harness) runTrial(ctx context.Context, t trial, keep bool) result {
	r := result{trial: t}
	dir, err := h.copyOf(t.scenario.base, fmt.Sprintf("trial-%d", t.number))
	if err != nil {
		r.err = err
		return r
	}
	r.err = h.interruptAndCheck(ctx, dir, &r)
	if r.err == nil && t.secondKill > 0 {
		args, baseline := []string{"up", "--image-tag", newTag, "--wait"}, h.baselines[firstUp.name]
		if t.scenario.finish != nil {
			args, baseline = t.scenario.finish, h.baselines[t.scenario.name]
		}
		var second interrupted
		second, r.err = h.interrupt(ctx, h.dev(dir), trial{signal: "SIGKILL", to: deployerAndEngine, fraction: t.secondKill}, baseline, args)
		r.exited = second.exited
	}
	if r.err == nil {
		r.err = h.converge(ctx, dir, &r)
	}
	r.err = errors.Join(r.err, h.remove(dir, t.number, keep))
	return r
}

// interruptAndCheck runs the command, sends the signal and checks how the command ended.
func (h *harness) interruptAndCheck(ctx context.Context, dir string, r *result) error {
	hit, err := h.interrupt(ctx, h.dev(dir), r.trial, h.baselines[r.scenario.name], r.scenario.args)
	if err != nil {
		return err
	}
	r.phase, r.exited, r.code = hit.phase, hit.exited, hit.code
	if r.signal == "SIGKILL" || r.exited || engineStillRunning(r, hit.output) || exitedEarly(r, hit.output) {
		return nil
	}
	if r.code != 130 && r.code != 0 {
		return fmt.Errorf("after %s the exit code is %d, not 130:\n%s", r.signal, r.code, hit.output)
	}
	if r.scenario.base == crashed && !repairDone.MatchString(hit.output) {
		return nil // what the previous deployment left is still there, as expected
	}
	if err := checkReleased(dir); err != nil {
		return fmt.Errorf("after %s: %w\n%s", r.signal, err, hit.output)
	}
	return nil
}

// engineStillRunning reports whether the deployer exited after a SIGTERM before the engine did, leaving the lock,
// because the time that CI systems give had run out.
func engineStillRunning(r *result, output string) bool {
	return r.signal == "SIGTERM" && r.code == 130 &&
		(strings.Contains(output, "was asked to stop and has not ended yet") || strings.Contains(output, "no time is left"))
}

// exitedEarly reports whether the signal came before the deployer had installed its handler and printed anything.
func exitedEarly(r *result, output string) bool {
	return r.phase == startPhase && r.code == killed && output == ""
}

// killed is the exit code of a process that a signal ended.
const killed = -1

// interrupted is the state of a command when it got its signal, and its outcome.
type interrupted struct {
	phase, output string
	exited        bool
	code          int
}

// interrupt runs a command and sends the signal at its time, or as soon afterwards as there is an engine to receive it.
func (h *harness) interrupt(ctx context.Context, a account, t trial, baseline timing, args []string) (interrupted, error) {
	output := &transcript{began: time.Now()}
	cmd := h.command(ctx, a, args...)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		return interrupted{}, err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	phase, after := baseline.phaseAt(t.fraction)
	timer := time.After(pollInterval)
	for waiting := true; ; {
		select {
		case err := <-exited:
			code, err := exitCode(err)
			return interrupted{phase: "ended", output: output.String(), exited: true, code: code}, err
		case <-timer:
		}
		if waiting {
			timer = time.After(pollInterval)
			if output.reached(phase) {
				waiting, timer = false, time.After(after)
			}
			continue
		}
		sent, err := sendSignal(t, cmd.Process.Pid)
		if err != nil {
			return interrupted{}, err
		}
		if sent {
			phase := output.phase()
			code, err := exitCode(<-exited)
			return interrupted{phase: phase, output: output.String(), code: code}, err
		}
		timer = time.After(pollInterval)
	}
}

// repairDone matches the line that reports a successful repair.
var repairDone = regexp.MustCompile(`(?m)^repair +✓`)

// repaired matches the lines in which `up` reports repairs.
var repaired = regexp.MustCompile(`(?m)^repair +(.*)$`)

// converge runs `up` and checks everything that it must leave in order.
func (h *harness) converge(ctx context.Context, dir string, r *result) error {
	if r.scenario.finish != nil && !r.exited && r.code != 0 {
		if err := h.mustSucceed(ctx, h.dev(dir), r.scenario.finish); err != nil {
			return err
		}
	}
	up, err := h.run(ctx, h.dev(dir), "up", "--image-tag", newTag, "--wait", "--timeout", convergeTimeout.String())
	if err != nil {
		return err
	}
	r.took = up.took
	for _, line := range repaired.FindAllStringSubmatch(up.output, -1) {
		if first, _ := utf8.DecodeRuneInString(line[1]); line[1] != "started" && !strings.HasPrefix(line[1], "still running") && !strings.ContainsRune("✓✗", first) {
			r.repairs = append(r.repairs, line[1])
		}
	}
	if up.code != 0 {
		return fmt.Errorf("the next `up` exits with %d:\n%s", up.code, up.output)
	}
	if err := h.verify(ctx, dir, r); err != nil {
		return fmt.Errorf("%w\nafter the `up`:\n%s", err, up.output)
	}
	return nil
}

func failedTrials(results []result) []result {
	return slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.err == nil })
}
