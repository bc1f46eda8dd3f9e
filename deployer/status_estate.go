package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

// estate is the environments that one command looks at.
type estate struct {
	subjects []subject
	// listed says that several were asked for, even where there is only one.
	listed bool
	// later says that they were looked at before.
	later bool
}

// subject is one of them.
type subject struct {
	// name is as it was given; the environment has its full one.
	name  string
	env   *environment.Environment
	place *place
	// err is why it could not be judged, the last time that this was tried.
	err error
	// trace is every call of the last report.
	trace []checks.Call
}

// statusTimeout is how long a report may take where --timeout does not say.
const statusTimeout = time.Minute

// allEnvironments is the word for all of them but the shared stack.
const allEnvironments = "all"

// openEstate opens the environments that --env names. One that cannot be opened does not stop the others, unless there
// are none.
func (s status) openEstate(ctx context.Context) (*estate, error) {
	if s.name == "" {
		_, err := s.environment()
		return nil, err
	}
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	e := &estate{listed: strings.Contains(s.name, ",") || s.name == allEnvironments}
	for _, name := range names {
		one := subject{name: name}
		settings := s.settings
		settings.name = name
		if one.env, one.err = settings.environment(); one.err == nil {
			one.place, one.err = settings.open(ctx, accountOf(one.env))
		}
		e.subjects = append(e.subjects, one)
	}
	return e, nil
}

// names are the environments that --env lists, each once: dev and development are the same.
func (s settings) names() ([]string, error) {
	var names []string
	for _, name := range split([]string{s.name}) {
		found := []string{name}
		if name == allEnvironments {
			stacks, err := environment.List(s.dir)
			if err != nil {
				return nil, err
			}
			found = stacks
		}
		for _, name := range found {
			same := func(other string) bool { return environment.StackOf(other) == environment.StackOf(name) }
			if !slices.ContainsFunc(names, same) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil, hint.With(errors.New("--env names no environment"), "`deployer env list` lists them")
	}
	return names, nil
}

// close releases all places.
func (e *estate) close() error {
	var errs []error
	for _, one := range e.subjects {
		if one.place != nil {
			errs = append(errs, one.place.close())
		}
	}
	return errors.Join(errs...)
}

// clock is that of the first place; nil where there is none.
func (e *estate) clock() clock.Clock {
	for _, one := range e.subjects {
		if one.place != nil {
			return one.place.clock
		}
	}
	return nil
}

// failed reports whether no environment could be judged, the last time that this was tried.
func (e *estate) failed() bool {
	return !slices.ContainsFunc(e.subjects, func(one subject) bool { return one.err == nil })
}

// judge makes a report about each environment, all at the same time.
func (s status) judge(ctx context.Context, e *estate) ui.StatusReport {
	reports := ui.StatusReport{Environments: make([]ui.EnvironmentReport, len(e.subjects)), Multiple: e.listed, Appended: e.later, Refresh: s.watch}
	var group sync.WaitGroup
	for i := range e.subjects {
		group.Go(func() { reports.Environments[i] = s.judgeOne(ctx, &e.subjects[i]) })
	}
	group.Wait()
	return reports
}

// judgeOne makes a report, or one that says why there is none.
func (s status) judgeOne(ctx context.Context, one *subject) ui.EnvironmentReport {
	switch {
	case one.env == nil:
		return ui.FailedReport(one.name, "", time.Now(), failureOf(one.err))
	case one.place == nil:
		return ui.FailedReport(one.env.Name, one.env.Region, time.Now(), failureOf(one.err))
	}
	limit := cmp.Or(s.timeout, statusTimeout)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tracer := &tracer{}
	identified := make(chan error, 1)
	go func() {
		err := s.identify(ctx, one, tracer)
		if err != nil {
			cancel() // what is read with the wrong credentials is not worth waiting for
		}
		identified <- err
	}()
	report := checks.Run(ctx, one.env, s.sources(one), checks.Options{
		Only: s.only, Skip: s.skip, Timeout: limit, Trace: tracer.add,
	}, one.place.clock)
	one.err, one.trace = <-identified, tracer.calls
	if one.err != nil {
		return ui.FailedReport(one.env.Name, one.env.Region, one.place.clock.Now(), failureOf(one.err))
	}
	return ui.EnvironmentReport{Report: report}
}

// identify makes sure that the credentials are the environment's account's. How long they last does not matter: a report
// takes seconds.
func (s status) identify(ctx context.Context, one *subject, trace *tracer) error {
	call := checks.Call{Service: "STS", Operation: "GetCallerIdentity", Start: one.place.clock.Now()}
	call.Err = one.place.identify(ctx, one.env.Account, one.env.Stack, time.Time{})
	call.End = one.place.clock.Now()
	trace.add(call)
	return call.Err
}

// recordsLooked is how many of the last deployments are looked at for the one that says what runs.
const recordsLooked = 5

// sources are where the checks read. Where the stack is left out, Pulumi's state is not touched.
func (s status) sources(one *subject) checks.Sources {
	sources := checks.Sources{
		AWS: one.place.aws, Network: one.place.network,
		Deployed: func(ctx context.Context) (string, error) {
			records, err := one.place.records.List(ctx, one.env.Stack, recordsLooked)
			return history.RunningImage(records), err
		},
	}
	if !slices.Contains(s.skip, "stack") {
		sources.Stack = s.stackReader(one.place, one.env)
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

// failureOf is an error as a report shows it.
func failureOf(err error) ui.Failure {
	return ui.Failure{Message: strings.TrimRight(err.Error(), "\n"), Hint: hint.Of(err)}
}
