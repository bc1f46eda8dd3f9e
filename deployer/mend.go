package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/deployer/discovery"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/internal/procs"
)

// mender puts right what a killed deployer or engine left in a stack and its account.
type mender struct {
	handle *engine.Handle
	aws    aws.Config
	// account is the account's number.
	account string
	// held is the lock that keeps everybody else out; nil in a dry run.
	held *lock.Held
}

// needed reports whether something may have been left half done: the lock was taken over from a holder that had died, or the state
// has operations of unknown outcome.
func (m mender) needed() bool { return m.held.TakenOver() || m.unsettled() }

// A planError says that a program could not be previewed, so that it is unknown what may have been left.
type planError struct{ error }

// Unwrap returns the reason.
func (e *planError) Unwrap() error { return e.error }

// lookups is how many resources are looked up at once.
const lookups = 8

// mend looks for everything that the program would create, takes what is there already into the state, and forgets operations of
// unknown outcome after reading what they were about. It says what it did.
func (m mender) mend(ctx context.Context, program pulumi.RunFunc, say func(string)) ([]string, error) {
	say("asking the program what it would create")
	plan, err := m.handle.Preview(ctx, engine.Update{Program: program}, nil)
	if err != nil {
		return nil, &planError{err}
	}
	if m.handle.Current().Restored() { // what was found may belong to components that the copy does not have
		if err := m.handle.AddParents(ctx, plan.NewParents, nil); err != nil {
			return nil, err
		}
	}
	say(fmt.Sprintf("looking for %d resources in the account", len(plan.NewResources)))
	found, err := m.find(ctx, plan.NewResources)
	if err != nil {
		return nil, err
	}
	say(fmt.Sprintf("reading %d resources that may be there", len(found)))
	var settled engine.ReconcileResult
	told, err := m.unlocking(ctx, func() (err error) {
		settled, err = m.handle.Reconcile(ctx, found, m.held.InterruptedCommand() == destroying, func(f engine.ImportCandidate, outputs map[string]any) bool {
			return discovery.IsManaged(wanted(f.PlannedResource), outputs)
		})
		return err
	})
	for _, f := range settled.Imported {
		told = append(told, fmt.Sprintf("%s %s was in the account and not in the state: imported as %s", engine.ShortType(f.Type), f.Name, f.ID))
	}
	for _, f := range settled.Foreign {
		told = append(told, fmt.Sprintf("%s %s: something else has its name (%s), and was left alone", engine.ShortType(f.Type), f.Name, f.ID))
	}
	for _, p := range settled.Resolved {
		if !strings.HasPrefix(p.Type, "aws:") || slices.ContainsFunc(settled.Imported, func(f engine.ImportCandidate) bool { return f.URN == p.URN }) {
			continue // nothing of it is in the account, or it has been told
		}
		told = append(told, fmt.Sprintf("%s %s: what came of %s it was unknown, and was looked up", engine.ShortType(p.Type), p.Name, p.Op))
	}
	if err == nil {
		m.held.MarkRepaired()
	}
	return told, err
}

// find looks resources up in the account, several at once.
func (m mender) find(ctx context.Context, creations []engine.PlannedResource) ([]engine.ImportCandidate, error) {
	ids, failed := make([]string, len(creations)), make([]error, len(creations))
	var running sync.WaitGroup
	free := make(chan struct{}, lookups)
	for i, c := range creations {
		running.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			ids[i], failed[i] = discovery.Find(ctx, m.aws, m.account, wanted(c))
		})
	}
	running.Wait()
	var found []engine.ImportCandidate
	for i, c := range creations {
		if ids[i] != "" {
			found = append(found, engine.ImportCandidate{PlannedResource: c, ID: ids[i]})
		}
	}
	return found, errors.Join(failed...)
}

func wanted(c engine.PlannedResource) discovery.Query {
	return discovery.Query{Type: c.Type, Inputs: c.Inputs, Known: engine.IsKnown}
}

// unlocking repeats what the engine refuses because of a lock of its own that nobody is left to release, after removing that, and
// says so. The environment's lock keeps every other deployer out meanwhile.
func (m mender) unlocking(ctx context.Context, run func() error) (told []string, err error) {
	err = run()
	busy := (*engine.ConcurrentUpdateError)(nil)
	if !errors.As(err, &busy) || len(busy.Holders) == 0 {
		return nil, err
	}
	if !staleLocks(busy.Holders, m.held) {
		return nil, err
	}
	for _, holder := range busy.Holders {
		told = append(told, fmt.Sprintf("the engine's lock of %s was left by a process that is gone, and was removed", holder))
	}
	if err := m.handle.Unlock(ctx); err != nil {
		return nil, err
	}
	return told, run()
}

// staleLocks reports whether the engines that locked a stack are gone, as the holder of the environment's lock can know.
func staleLocks(holders []engine.Holder, held *lock.Held) bool {
	host, err := os.Hostname()
	return err == nil && !slices.ContainsFunc(holders, func(h engine.Holder) bool {
		return !discovery.Lock{Host: h.Host, PID: h.PID}.Stale(host, procs.Alive, held.TakenOver())
	})
}

// step mends as a step of its own, for commands that are no deployment.
func (m mender) step(ctx context.Context, progress *ui.Progress, program pulumi.RunFunc) error {
	return tried(progress.Step(release.Repair, func(say func(string)) (string, error) {
		done, err := m.mend(ctx, program, say)
		for _, what := range done {
			progress.Report(release.Event{Kind: release.Note, Phase: release.Repair, Message: what})
		}
		return release.RepairSummary(done), err
	}))
}

// unsettled reports whether the state is behind the account: it has operations of unknown outcome, or is a copy.
func (m mender) unsettled() bool {
	return len(m.handle.Current().Pending) > 0 || m.handle.Current().Restored()
}

// orphaned removes the lock of an engine that was killed under this deployer: nobody else will.
func (m mender) orphaned(ctx context.Context, err error) error {
	if !engineKilled(err) {
		return err
	}
	return errors.Join(err, m.handle.Unlock(context.WithoutCancel(ctx)))
}

// engineKilled reports whether a signal ended the engine of a run. An interruption does, too, that comes when the engine has
// finished and no longer listens, and has not released its lock yet.
func engineKilled(err error) bool {
	var failed *engine.FailedError
	var interrupted *engine.InterruptedError
	switch {
	case errors.As(err, &failed):
		return failed.Killed
	case errors.As(err, &interrupted):
		return interrupted.Killed && interrupted.RunningPID == 0
	}
	return false
}
