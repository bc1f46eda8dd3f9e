package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what a trial waits for.
const (
	patience  = 30 * time.Second
	tick      = 5 * time.Millisecond
	converges = 3 * time.Minute
)

// result is what came of a trial.
type result struct {
	trial
	// phase is the one that the signal met; over says that the command, or what was to repair it, had ended before.
	phase string
	over  bool
	// code is the command's exit code, or killed.
	code int
	// repairs are what the next `up` said that it repaired, spare the task definitions that nobody needs.
	repairs []string
	spare   int
	// took is how long the `up` that converged took.
	took time.Duration
	// err is what is not as it should be.
	err error
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

// try runs one trial.
func (l *lab) try(ctx context.Context, t trial, keep bool) result {
	r := result{trial: t}
	dir, err := l.copyOf(t.scenario.base, fmt.Sprintf("trial-%d", t.number))
	if err != nil {
		r.err = err
		return r
	}
	r.err = l.provoke(ctx, dir, &r)
	if r.err == nil && t.again > 0 {
		args, usual := []string{"up", "--image-tag", newTag, "--wait"}, l.usual[firstUp.name]
		if t.scenario.ends != nil {
			args, usual = t.scenario.ends, l.usual[t.scenario.name]
		}
		var again met
		again, r.err = l.interrupt(ctx, dir, trial{signal: "SIGKILL", victim: both, moment: t.again}, usual, args)
		r.over = again.over
	}
	if r.err == nil {
		r.err = l.converge(ctx, dir, &r)
	}
	if keep {
		saved := fmt.Sprintf("%s/deployer-chaos-kept-%d", os.TempDir(), t.number)
		_ = os.RemoveAll(saved)
		_ = os.Rename(dir, saved)
		fmt.Println("its directory is kept:", saved)
	}
	r.err = errors.Join(r.err, os.RemoveAll(dir))
	return r
}

// provoke runs the command and ends it, and judges how it ended.
func (l *lab) provoke(ctx context.Context, dir string, r *result) error {
	met, err := l.interrupt(ctx, dir, r.trial, l.usual[r.scenario.name], r.scenario.args)
	if err != nil {
		return err
	}
	r.phase, r.over, r.code = met.phase, met.over, met.code
	if r.signal == "SIGKILL" || r.over || leftInTime(r, met.said) || endedUnborn(r, met.said) {
		return nil
	}
	if r.code != 130 && r.code != 0 {
		return fmt.Errorf("after %s the exit code is %d, not 130:\n%s", r.signal, r.code, met.said)
	}
	if r.scenario.base == dead && !repairDone.MatchString(met.said) {
		return nil // what the deployment before left is still there, and known
	}
	if pending := pendingOperations(dir); len(pending) > 0 {
		return fmt.Errorf("after %s there are pending operations: %s\n%s", r.signal, strings.Join(pending, ", "), met.said)
	}
	if locks := locks(dir); len(locks) > 0 {
		return fmt.Errorf("after %s there are locks: %s\n%s", r.signal, strings.Join(locks, ", "), met.said)
	}
	return nil
}

// leftInTime reports whether a SIGTERM ended the deployer before the engine, which is left to itself, with the lock, when the time
// that CI systems give has run out.
func leftInTime(r *result, said string) bool {
	return r.signal == "SIGTERM" && r.code == 130 &&
		(strings.Contains(said, "was asked to stop and has not ended yet") || strings.Contains(said, "no time is left"))
}

// endedUnborn reports whether a signal came before the deployer listened to any: it has said and done nothing.
func endedUnborn(r *result, said string) bool {
	return r.phase == beginning && r.code == killed && said == ""
}

// killed is the exit code of a process that a signal ended.
const killed = -1

// met is what a signal met.
type met struct {
	phase, said string
	over        bool
	code        int
}

// interrupt runs a command and sends the signal when its moment has come, or as soon after it as there is an engine where the
// engine alone is to get it.
func (l *lab) interrupt(ctx context.Context, dir string, t trial, usual course, args []string) (met, error) {
	return l.interruptAt(ctx, dir, l.dev(), t, usual, args)
}

func (l *lab) interruptAt(ctx context.Context, dir string, where target, t trial, usual course, args []string) (met, error) {
	said := &transcript{began: time.Now()}
	cmd := l.commandAt(ctx, dir, where, args...)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return met{}, err
	}
	over := make(chan error, 1)
	go func() { over <- cmd.Wait() }()
	phase, after := usual.moment(t.moment)
	moment := time.After(tick)
	for waiting := true; ; {
		select {
		case err := <-over:
			code, err := exitCode(err)
			return met{phase: "ended", said: said.String(), over: true, code: code}, err
		case <-moment:
		}
		if waiting {
			moment = time.After(tick)
			if said.reached(phase) {
				waiting, moment = false, time.After(after)
			}
			continue
		}
		hit, err := strike(t, cmd.Process.Pid)
		if err != nil {
			return met{}, err
		}
		if hit {
			phase := said.phase()
			code, err := exitCode(<-over)
			return met{phase: phase, said: said.String(), code: code}, err
		}
		moment = time.After(tick)
	}
}

// repairDone is the line that ends a repair well.
var repairDone = regexp.MustCompile(`(?m)^repair +✓`)

// repaired are the lines in which `up` says what it repaired.
var repaired = regexp.MustCompile(`(?m)^repair +(.*)$`)

// converge runs `up` and looks at everything that it has to leave in order.
func (l *lab) converge(ctx context.Context, dir string, r *result) error {
	if r.scenario.ends != nil && !r.over && r.code != 0 {
		if ended, err := l.run(ctx, dir, r.scenario.ends...); err != nil || ended.code != 0 {
			return errors.Join(err, fmt.Errorf("`%s` exits with %d:\n%s", strings.Join(r.scenario.ends, " "), ended.code, ended.output))
		}
	}
	up, err := l.run(ctx, dir, "up", "--image-tag", newTag, "--wait", "--timeout", converges.String())
	if err != nil {
		return err
	}
	r.took = up.took
	for _, line := range repaired.FindAllStringSubmatch(up.output, -1) {
		if first, _ := utf8.DecodeRuneInString(line[1]); line[1] != "started" && !strings.HasPrefix(line[1], "still at it") && !strings.ContainsRune("✓✗", first) {
			r.repairs = append(r.repairs, line[1])
		}
	}
	if up.code != 0 {
		return fmt.Errorf("the next `up` exits with %d:\n%s", up.code, up.output)
	}
	if err := l.verify(ctx, dir, r); err != nil {
		return fmt.Errorf("%w\nafter the `up`:\n%s", err, up.output)
	}
	return nil
}

// broken are the results that are not as they should be.
func broken(results []result) []result {
	return slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.err == nil })
}
