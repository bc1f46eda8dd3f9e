package engine

import (
	"context"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/events"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/internal/running"
)

// Update configures a run.
type Update struct {
	// Program replaces the stack's program, unless it is nil.
	Program pulumi.RunFunc
	// Targets and Excludes are URNs, in which ** matches anything. Only one of them can be set.
	Targets, Excludes []string
	// TargetDependents and ExcludeDependents include what depends on them.
	TargetDependents, ExcludeDependents bool
	// Message is stored in the stack's history.
	Message string
	// Refresh reads every resource from the account before the run.
	Refresh bool
}

// Up changes the account to what the program declares.
//
// The errors of this and the other runs are a ConcurrentUpdateError, InterruptedError, FailedError, StateError,
// PassphraseError or BackendError. OnEvent is called with one event at a time, and may be nil.
func (h *Handle) Up(ctx context.Context, u Update, onEvent func(Event)) (Summary, error) {
	p, err := h.run(ctx, "up", u, h.program(u), onEvent, call(ctx, (*auto.Stack).Up, u.up))
	return p.summary(), err
}

// Destroy deletes the stack's resources, and fails if one is protected. It keeps the stack itself and its history.
func (h *Handle) Destroy(ctx context.Context, u Update, onEvent func(Event)) (Summary, error) {
	p, err := h.run(ctx, destroy, u, emptyProgram, onEvent, call(ctx, (*auto.Stack).Destroy, u.destroy))
	return p.summary(), err
}

// Refresh reads the account into the state, without running the program.
func (h *Handle) Refresh(ctx context.Context, u Update, onEvent func(Event)) (Summary, error) {
	p, err := h.run(ctx, refresh, u, emptyProgram, onEvent, call(ctx, (*auto.Stack).Refresh, u.refresh))
	return p.summary(), err
}

// Preview returns what Up would change, and changes nothing.
func (h *Handle) Preview(ctx context.Context, u Update, onEvent func(Event)) (Plan, error) {
	p, err := h.run(ctx, preview, u, h.program(u), onEvent, call(ctx, (*auto.Stack).Preview, u.preview))
	return p.plan(), err
}

// PreviewRefresh returns how the account differs from the state, and changes nothing. Old values are the state's, new ones
// the account's; a resource that no longer exists is a delete.
func (h *Handle) PreviewRefresh(ctx context.Context, u Update, onEvent func(Event)) (Plan, error) {
	p, err := h.run(ctx, drift, u, emptyProgram, onEvent, call(ctx, (*auto.Stack).PreviewRefresh, u.refresh))
	return p.plan(), err
}

// call returns a function that calls a method of the Automation API with its option.
func call[Option, Result any](
	ctx context.Context, method func(*auto.Stack, context.Context, ...Option) (Result, error), option func(eventStream) Option,
) func(*auto.Stack, eventStream) error {
	return func(s *auto.Stack, feed eventStream) error {
		_, err := method(s, ctx, option(feed))
		return err
	}
}

// The operations that are handled differently.
const refresh, drift, preview, destroy = "refresh", "drift", "preview", "destroy"

// eventStream receives the engine's events of one run.
type eventStream = chan<- events.EngineEvent

func (h *Handle) program(u Update) pulumi.RunFunc {
	if u.Program != nil {
		return u.Program
	}
	return h.stack.Program
}

// emptyProgram declares nothing: it is for runs that need only the state. With it the engine needs no language host.
func emptyProgram(*pulumi.Context) error { return nil }

// run runs the engine once, and follows its events to their end.
func (h *Handle) run(ctx context.Context, operation string, u Update, program pulumi.RunFunc, onEvent func(Event),
	call func(*auto.Stack, eventStream) error) (*progress, error) {
	tally := newTally(h.current.Resources)
	if operation == destroy {
		tally = newDestroyTally(h.current.Resources)
	}
	p := newProgress(tally, operation == refresh || operation == drift, time.Now)
	listening := make(chan struct{})
	c := h.newProcess()
	c.listening = listening
	changing := operation != preview && operation != drift
	if changing {
		if err := h.saveBackup(ctx); err != nil {
			return p, err
		}
	}
	stack, err := h.selectStack(ctx, c, p.tally.watch(program))
	if err != nil {
		return p, err
	}
	if onEvent == nil {
		onEvent = func(Event) {}
	}
	raw, returned, drained := make(chan events.EngineEvent), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(drained)
		p.follow(ctx, raw, returned, listening, onEvent)
	}()
	err = call(&stack, raw)
	close(returned)
	<-drained
	p.ended = time.Now()
	if err == nil {
		if err := h.checkAfterRun(ctx, p, operation, changing); err != nil || !changing || !h.stoppedEarly(ctx, operation) {
			return p, err
		}
		failure := p.failure(operation)
		failure.Pending = h.current.Pending
		failure.UnderWay = running.Describe(p.underWay, p.interrupted)
		return p, &InterruptedError{Failure: failure, Cause: context.Cause(ctx)}
	}
	failure := p.failure(operation)
	failure.UnderWay = running.Describe(p.underWay, p.interrupted)
	if c.runningPID != 0 {
		failure.UnderWay = running.Describe(p.operations(), p.ended)
	}
	switch {
	case c.runningPID != 0, stateTaken(ctx): // the engine, or another process, is writing the state
		failure.Pending = sortedPending(p.pending)
	case p.receiving && changing:
		failure.StateWrite = h.recoverFailedWrite(sortedPending(p.touched), p.parents, c.stderr)
		if failure.StateWrite == nil || failure.StateWrite.RestoreErr == nil {
			var unusable error
			if failure.Repaired, unusable = h.verifyState(ctx, p.parents); unusable == nil {
				failure.Pending = h.current.Pending
			} // else the next command handles it
		}
	}
	return p, h.explain(ctx, err, c, failure)
}

// stoppedEarly reports whether a run that the engine reports as successful was interrupted before its end: the engine does not report
// an interruption while it deletes resources, and exits with 0. A destroy that left no resource has reached its end.
// Source: https://github.com/pulumi/pulumi/blob/v3.274.1/pkg/resource/deploy/deployment_executor.go
func (h *Handle) stoppedEarly(ctx context.Context, operation string) bool {
	if ctx.Err() == nil {
		return false
	}
	return operation != destroy || slices.ContainsFunc(h.current.Resources, func(r Resource) bool { return isProgramType(r.Type) })
}

// checkAfterRun verifies the state after a run that succeeded. A state that the engine had to sort is a warning, and so is one
// that cannot be read now. If a backup replaced it, the outcome of the run is unknown, and the run has failed.
func (h *Handle) checkAfterRun(ctx context.Context, p *progress, operation string, changing bool) error {
	if !changing {
		return nil
	}
	repaired, err := h.verifyState(ctx, p.parents)
	switch {
	case isError[*StateError](err):
		return err
	case err != nil:
		p.warnings = append(p.warnings, "the state could not be read after the run: "+err.Error())
	case repaired != "" && h.current.Restored():
		return &FailedError{Failure{Run: operation, Resources: []ResourceError{{Message: "its outcome is unknown"}}, Summary: p.summary(), Repaired: repaired}}
	case repaired != "":
		p.warnings = append(p.warnings, repaired)
	}
	return nil
}

// follow reads events until the channel is closed or the run has returned: an engine that ends before its first event never
// opens the stream, and the channel is never closed.
func (p *progress) follow(ctx context.Context, raw <-chan events.EngineEvent, returned <-chan struct{}, listening chan<- struct{},
	onEvent func(Event)) {
	interrupted := ctx.Done()
	for {
		select {
		case <-interrupted:
			p.interrupt()
			interrupted = nil
		case event, open := <-raw:
			if !open {
				return
			}
			if !p.receiving {
				p.receiving = true
				close(listening)
			}
			for _, e := range p.onEvent(event.EngineEvent) {
				onEvent(e)
			}
		case <-returned:
			return
		}
	}
}
