package command

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

// environments are those that one status reports on.
type environments struct {
	all []environmentStatus
	// verdict is the status of each environment in the last report.
	verdict string
	// appended is true where this is not the first report of a watch, and earlier ones stay visible.
	appended bool
}

// environmentStatus is one of them.
type environmentStatus struct {
	// name is as it was given; the environment has its full one.
	name string
	env  *environment.Environment
	// target is nil where it could not be opened.
	target *target.Target
	// err is why the last report failed.
	err error
	// trace has every call of the last report.
	trace []checks.Call
}

// statusTimeout limits a report without --timeout.
const statusTimeout = time.Minute

// openEnvironments opens the environments that --env names. One that cannot be opened does not stop the others.
func (o statusOptions) openEnvironments(ctx context.Context) (*environments, error) {
	names, err := o.targets.names()
	if err != nil {
		return nil, err
	}
	e := &environments{}
	for _, name := range names {
		one := environmentStatus{name: name}
		if one.env, one.err = o.targets.environment(name); one.err == nil {
			one.target, one.err = o.targets.open(ctx, name)
		}
		e.all = append(e.all, one)
	}
	return e, nil
}

// close closes all targets.
func (e *environments) close() error {
	var errs []error
	for _, one := range e.all {
		if one.target != nil {
			errs = append(errs, one.target.Close())
		}
	}
	return errors.Join(errs...)
}

// failed reports whether the last report failed for every environment.
func (e *environments) failed() bool {
	return !slices.ContainsFunc(e.all, func(one environmentStatus) bool { return one.err == nil })
}

// judge creates a report on each environment, all at the same time.
func (o statusOptions) judge(ctx context.Context, e *environments) ui.StatusReport {
	reports := ui.StatusReport{Environments: make([]ui.EnvironmentReport, len(e.all)), Multiple: o.targets.several(), Appended: e.appended, Refresh: o.watch}
	var group sync.WaitGroup
	for i := range e.all {
		group.Go(func() { reports.Environments[i] = o.judgeOne(ctx, &e.all[i]) })
	}
	group.Wait()
	return reports
}

// judgeOne creates a report, or one with the error.
func (o statusOptions) judgeOne(ctx context.Context, one *environmentStatus) ui.EnvironmentReport {
	switch {
	case one.env == nil:
		return ui.FailedReport(one.name, "", time.Now(), o.terminal.failureOf(one.err))
	case one.target == nil:
		return ui.FailedReport(one.env.Name, one.env.Region, time.Now(), o.terminal.failureOf(one.err))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	tracer := &tracer{}
	identified := make(chan error, 1)
	go func() {
		err := o.identify(ctx, one, tracer)
		if err != nil {
			cancel() // there is no use in waiting for answers to the wrong credentials
		}
		identified <- err
	}()
	report := checks.Run(ctx, one.env, o.sources(one), checks.Options{
		Only: o.only, Skip: o.skip, Timeout: o.timeout, Trace: tracer.add,
	}, one.target.Clock)
	one.err, one.trace = <-identified, tracer.calls
	if one.err != nil {
		return ui.FailedReport(one.env.Name, one.env.Region, one.target.Clock.Now(), o.terminal.failureOf(one.err))
	}
	if o.hiddenOnly && one.target.Responses.SecretUnread() != nil {
		for _, f := range report.Services {
			delete(f.Details, checks.LogLines)
		}
	}
	if report.NeedsTag() {
		if tag := recordedTag(ctx, one.target); tag != "" {
			report.SetTag(tag)
		}
	}
	return ui.EnvironmentReport{Report: report}
}

// identify verifies that the credentials are the environment's account's. How long they last does not matter: a report takes
// seconds.
func (o statusOptions) identify(ctx context.Context, one *environmentStatus, trace *tracer) error {
	call := checks.Call{Service: "STS", Operation: "GetCallerIdentity", Start: one.target.Clock.Now()}
	call.Err = verify(ctx, one.target, time.Time{})
	call.End = one.target.Clock.Now()
	trace.add(call)
	return call.Err
}

// deployedHistoryLimit is how many records are searched for the last deployment that was verified.
const deployedHistoryLimit = 20

// sources returns where the checks read. Where the component stack is skipped, Pulumi's state is not read.
func (o statusOptions) sources(one *environmentStatus) checks.Sources {
	sources := checks.Sources{
		AWS: one.target.AWS, Network: one.target.Network,
		Deployed: func(ctx context.Context) (string, error) {
			records, err := one.target.Records.List(ctx, one.env.Stack, deployedHistoryLimit)
			return history.VerifiedImage(records), err
		},
	}
	if !slices.Contains(o.skip, "stack") {
		sources.Stack = func(ctx context.Context) (checks.StackInfo, error) { return o.stacks.Info(ctx, one.target) }
	}
	return sources
}

// tracer collects the calls of a report.
type tracer struct {
	mu    sync.Mutex
	calls []checks.Call
}

func (t *tracer) add(c checks.Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = append(t.calls, c)
}

// failureOf returns an error as a report shows it.
func (t *terminal) failureOf(err error) ui.Failure {
	return ui.Failure{Message: t.flags.addTo(strings.TrimRight(err.Error(), "\n")), Hint: t.flags.addTo(hint.Of(err))}
}
