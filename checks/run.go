package checks

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/probe"
)

// Sources are what a run reads from.
type Sources struct {
	AWS     aws.Config
	Network probe.Network
	// Stack reads Pulumi's state; nil where there is no access to it, and the stack is left out.
	Stack func(context.Context) (StackInfo, error)
	// Deployed returns the image of the last deployment that was verified, by its record, or "" without one; nil where there are no records,
	// and the image is compared with the stack's output.
	Deployed func(context.Context) (string, error)
}

// StackInfo is what Pulumi's state records about the stack.
type StackInfo struct {
	// Updated is when the last update ended, and Result its result: succeeded, failed, in-progress. Both are zero where there
	// was none.
	Updated time.Time
	Result  string
	// Pending are the URNs of operations whose result is not known.
	Pending []string
	// Resources is the number of the stack's resources.
	Resources int
	// Image is the stack's output image, which the last rollout set. It may have failed.
	Image string
}

// Options configure a run.
type Options struct {
	// Only and Skip are components; an empty Only selects all.
	Only, Skip []string
	// Timeout limits the run; what has not been read then is unknown. Zero means 60 s.
	Timeout time.Duration
	// Concurrency limits the calls to AWS at the same time. Zero means 32.
	Concurrency int
	// Trace, if set, is called after every call to AWS: from many goroutines, one at a time, and not after the run has ended.
	Trace func(Call)
}

// Call is one call to AWS.
type Call struct {
	// ID numbers the calls of a run in the order of their start, from 1.
	ID int
	// After are the IDs of the calls that this one waited for. Those that they waited for themselves may be missing.
	After []int
	// Service and Operation are the SDK's names: ECS, DescribeServices.
	Service, Operation string
	// Component is the check that made the call; others may have waited for its result.
	Component string
	// Start is when the call got its slot, End when it was answered, retries included.
	Start, End time.Time
	Err        error
}

// Duration returns how long the call took.
func (c Call) Duration() time.Duration { return c.End.Sub(c.Start) }

// Permission returns the IAM action that the call needs.
func (c Call) Permission() string { return Permission(c.Service, c.Operation) }

// Run evaluates the environment. Checks run concurrently and independently, and each returns at least one finding. A check that
// could not read what it needs is unknown, with the reason and any missing permission. When ctx ends, the remaining checks are
// unknown too; the caller checks ctx.
func Run(ctx context.Context, env *environment.Environment, src Sources, opt Options, clk clock.Clock) Report {
	return runChecks(ctx, All(), env, src, opt, clk)
}

// Defaults of Options.
const (
	defaultTimeout     = time.Minute
	defaultConcurrency = 32
	// gracePeriod is how long a run waits, after its context has ended, for checks to report the call that they waited for.
	gracePeriod = 200 * time.Millisecond
)

func runChecks(ctx context.Context, all []Check, env *environment.Environment, src Sources, opt Options, clk clock.Clock) Report {
	ctx, rc, stop := newRun(ctx, env, src, opt, clk)
	defer stop()
	if rc.src.Network.Resolver == nil {
		rc.src.Network = probe.SystemNetwork()
	}
	report := Report{Environment: env.Name, Region: env.Region, Timestamp: rc.now.Truncate(time.Second), Services: []Finding{}}
	selected := selectChecks(all, opt)
	for i, outcome := range runAll(ctx, selected, rc) {
		if omitted := (*omittedError)(nil); errors.As(outcome.err, &omitted) {
			report.Omitted = append(report.Omitted, Omission{Component: selected[i].Component, Why: omitted.why})
			continue
		}
		report.Services = append(report.Services, outcome.findingsOf(selected[i].Component)...)
	}
	if absent := notDeployed(withComponent(ctx, "stack"), rc, report.Services); absent != nil {
		report.Services, report.Omitted = []Finding{*absent}, nil
	} else if findings, asleep := asleepFindings(withComponent(ctx, "stack"), rc, report.Services); asleep {
		report.Services, report.Omitted = findings, nil
	} else {
		report.Services = findings
	}
	report.Summary = Aggregate(report.Services)
	report.LoadBalancers, report.Certificates = balancerSection(rc), certificateSection(rc)
	report.Debugging.StuckServices = stuckSection(rc, report.Services)
	return report
}

// newRun prepares a run. The caller calls stop at its end.
func newRun(
	ctx context.Context, env *environment.Environment, src Sources, opt Options, clk clock.Clock,
) (_ context.Context, rc *runContext, stop func()) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(opt.Timeout, defaultTimeout))
	trace := &tracer{callback: opt.Trace}
	src.AWS = instrument(src.AWS, cmp.Or(opt.Concurrency, defaultConcurrency), trace, clk.Now)
	return ctx, &runContext{env: env, now: clk.Now().UTC(), clk: clk, src: src}, func() {
		// A prefetched read that no check needed may still be running when the run has ended.
		trace.stop()
		cancel()
	}
}

func selectChecks(all []Check, opt Options) []Check {
	return list.Filter(all, func(c Check) bool {
		return (len(opt.Only) == 0 || slices.Contains(opt.Only, c.Component)) && !slices.Contains(opt.Skip, c.Component)
	})
}

// omittedError is why a check leaves its component out of the report.
type omittedError struct{ why string }

func (e *omittedError) Error() string { return e.why }

type outcome struct {
	findings []Finding
	err      error
}

// findingsOf returns the findings about the component, at least one.
func (o outcome) findingsOf(component string) []Finding {
	findings := o.findings
	if o.err != nil {
		findings = append(findings, unknownFinding(component, component, o.err))
	}
	if len(findings) == 0 {
		findings = []Finding{newFinding(component, component).unknown(reasonNoResult, Hint{
			Cause: "the check found nothing to evaluate", Solution: "check whether the environment has this component",
		}, "no result")}
	}
	return findings
}

// runAll runs the checks concurrently and returns their outcomes in the order of the checks. A check that has not ended within
// the grace period after ctx is abandoned.
func runAll(ctx context.Context, selected []Check, rc *runContext) []outcome {
	ended := make([]chan outcome, len(selected))
	for i, c := range selected {
		ended[i] = make(chan outcome, 1)
		go func() {
			findings, err := c.run(withComponent(ctx, c.Component), rc)
			ended[i] <- outcome{findings, err}
		}()
	}
	graceCtx, cancel := withGrace(ctx, gracePeriod)
	defer cancel()
	outcomes := make([]outcome, len(selected))
	for i := range selected {
		select {
		case outcomes[i] = <-ended[i]:
			continue
		case <-graceCtx.Done():
		}
		select {
		case outcomes[i] = <-ended[i]:
		default:
			outcomes[i].err = ctx.Err()
		}
	}
	return outcomes
}

// withGrace returns a context that ends later than ctx.
func withGrace(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	graceCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return graceCtx, func() { stop(); cancel() }
}

// runContext is what the checks of one run share: environment, time, sources, and the cache of reads.
type runContext struct {
	env *environment.Environment
	// now is when the run started. Everything is evaluated as of then.
	now   time.Time
	clk   clock.Clock
	src   Sources
	cache cache
}

// aws returns the configuration from which checks create their clients, which costs next to nothing.
func (rc *runContext) aws() aws.Config { return rc.src.AWS }

// prefetch starts a read that is going to be needed, so that it does not wait for those before it. The caller gets the result
// from the cache.
func prefetch[T any](ctx context.Context, rc *runContext, read func(context.Context, *runContext) (T, error)) {
	forked := fork(ctx)
	go func() { _, _ = read(forked, rc) }()
}

// readBoth reads two values concurrently.
func readBoth[A, B any](
	ctx context.Context, rc *runContext,
	readA func(context.Context, *runContext) (A, error), readB func(context.Context, *runContext) (B, error),
) (a A, b B, err error) {
	prefetch(ctx, rc, readB)
	if a, err = readA(ctx, rc); err == nil {
		b, err = readB(ctx, rc)
	}
	return a, b, err
}
