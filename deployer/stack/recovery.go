package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/sync/errgroup"

	"github.com/balancer/v3-backend-infra/deployer/discovery"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/internal/procs"
)

// DestroyAction is what the lock's holder does while it destroys a stack. What a destroy that was killed has deleted is not
// created again.
const DestroyAction = "destroy"

// A recoverer repairs what a deployer or an engine that was killed left in a stack and its account.
type recoverer struct {
	handle *engine.Handle
	target *target.Target
}

// required reports whether something may have been left half done: the lock was taken over from a holder that crashed, or the
// state is behind the account.
func (r recoverer) required() bool { return r.target.Held.TakenOver() || r.hasPendingOperations() }

// hasPendingOperations reports whether the state is behind the account: it has operations of unknown outcome, or is a copy.
func (r recoverer) hasPendingOperations() bool {
	return len(r.handle.Current().Pending) > 0 || r.handle.Current().Restored()
}

// A planError reports that a program could not be previewed, so that it is unknown what may have been left.
type planError struct{ error }

// Unwrap returns the reason.
func (e *planError) Unwrap() error { return e.error }

// maxLookups limits how many resources are looked up at the same time.
const maxLookups = 8

// recover looks for everything that the program would create, imports what exists already into the state, and clears operations
// of unknown outcome after reading what they were about. It returns what it did.
func (r recoverer) recover(ctx context.Context, program pulumi.RunFunc, report func(string)) (did []string, err error) {
	report("previewing what the program would create")
	plan, err := r.handle.Preview(ctx, engine.Update{Program: program}, nil)
	if err != nil {
		return nil, &planError{err}
	}
	if r.handle.Current().Restored() { // what was found may belong to components that the copy does not have
		if err := r.handle.AddParents(ctx, plan.NewParents, nil); err != nil {
			return nil, err
		}
	}
	report(fmt.Sprintf("looking for %d resources in the account", len(plan.NewResources)))
	found, err := r.find(ctx, plan.NewResources)
	if err != nil {
		return nil, err
	}
	report(fmt.Sprintf("reading %d resources that may exist", len(found)))
	var result engine.ReconcileResult
	err = r.run(ctx, func(line string) { did = append(did, line) }, func() (err error) {
		destroying := r.target.Held.InterruptedCommand() == DestroyAction
		result, err = r.handle.Reconcile(ctx, found, destroying, func(f engine.ImportCandidate, outputs map[string]any) bool {
			return discovery.IsManaged(query(f.PlannedResource), outputs)
		})
		return err
	})
	did = append(did, describeImport(result)...)
	if err == nil {
		r.target.Held.MarkRepaired()
	}
	return did, err
}

// describeImport returns a line for each resource that a recovery imported, found to be another's, or looked up.
func describeImport(result engine.ReconcileResult) (lines []string) {
	for _, f := range result.Imported {
		lines = append(lines, fmt.Sprintf("%s %s existed in the account and not in the state: imported as %s", engine.ShortType(f.Type), f.Name, f.ID))
	}
	for _, f := range result.Foreign {
		lines = append(lines, fmt.Sprintf("%s %s: another resource has its name (%s) and was not changed", engine.ShortType(f.Type), f.Name, f.ID))
	}
	for _, p := range result.Resolved {
		imported := slices.ContainsFunc(result.Imported, func(f engine.ImportCandidate) bool { return f.URN == p.URN })
		if !imported && strings.HasPrefix(p.Type, "aws:") { // components have nothing in the account
			lines = append(lines, fmt.Sprintf("%s %s: the outcome of its %s was unknown and was looked up", engine.ShortType(p.Type), p.Name, p.Op))
		}
	}
	return lines
}

// find searches the account for resources.
func (r recoverer) find(ctx context.Context, creations []engine.PlannedResource) ([]engine.ImportCandidate, error) {
	ids, failed := make([]string, len(creations)), make([]error, len(creations))
	lookups := errgroup.Group{}
	lookups.SetLimit(maxLookups)
	for i, c := range creations {
		lookups.Go(func() error {
			ids[i], failed[i] = discovery.Find(ctx, r.target.AWS, r.target.AccountID, query(c))
			return nil // every failure is reported, not only the first
		})
	}
	_ = lookups.Wait()
	var found []engine.ImportCandidate
	for i, c := range creations {
		if ids[i] != "" {
			found = append(found, engine.ImportCandidate{PlannedResource: c, ID: ids[i]})
		}
	}
	return found, errors.Join(failed...)
}

func query(c engine.PlannedResource) discovery.Query {
	return discovery.Query{Type: c.Type, Inputs: c.Inputs, Known: engine.IsKnown}
}

// run runs the engine, and once more after removing locks of the engine whose processes are gone. The environment's lock
// excludes every other deployer meanwhile.
func (r recoverer) run(ctx context.Context, report func(string), run func() error) error {
	attempt := func() error { return r.unlockIfKilled(ctx, run()) }
	err := attempt()
	busy := (*engine.ConcurrentUpdateError)(nil)
	if !errors.As(err, &busy) || len(busy.Holders) == 0 || !staleLocks(busy.Holders, r.target.Held) {
		return err
	}
	if err := r.handle.Unlock(ctx); err != nil {
		return err
	}
	for _, holder := range busy.Holders {
		report(fmt.Sprintf("removed the engine's lock of %s, whose process is gone", holder))
	}
	return attempt()
}

// unlockIfKilled removes the lock of an engine that was killed under this deployer: no other process will.
func (r recoverer) unlockIfKilled(ctx context.Context, err error) error {
	if !engineKilled(err) {
		return err
	}
	return errors.Join(err, r.handle.Unlock(context.WithoutCancel(ctx)))
}

// runStep recovers in a step of its own, for commands that are no deployment.
func (r recoverer) runStep(ctx context.Context, progress Progress, program pulumi.RunFunc) error {
	return progress.Step(ctx, release.Repair, func(report func(string)) (string, error) {
		done, err := r.recover(ctx, program, report)
		for _, line := range done {
			progress.Report(release.Event{Kind: release.Note, Phase: release.Repair, Message: line})
		}
		return release.RepairSummary(done), err
	})
}

// staleLocks reports whether the engines that locked a stack are gone, as far as the holder of the environment's lock can know.
func staleLocks(holders []engine.Holder, held *lock.Held) bool {
	host, err := os.Hostname()
	return err == nil && !slices.ContainsFunc(holders, func(h engine.Holder) bool {
		return !discovery.Lock{Host: h.Host, PID: h.PID}.Stale(host, procs.Alive, held.TakenOver())
	})
}

// engineKilled reports whether a signal ended the engine of a run. An interruption does, too, when it comes after the engine has
// finished and no longer listens, but has not released its lock yet.
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
