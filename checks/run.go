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
	"github.com/balancer/v3-backend-infra/probe"
)

// Sources are where a run learns about an environment.
type Sources struct {
	AWS     aws.Config
	Network probe.Network
	// Stack reads what Pulumi's state says; nil where there is no access to it, and the stack is left out.
	Stack func(context.Context) (StackInfo, error)
	// Deployed reads which image the record of the last deployment says runs, "" where none knows; nil where there are
	// no records, and the stack's output is all there is to compare with.
	Deployed func(context.Context) (string, error)
}

// StackInfo is what the stack's state says about itself.
type StackInfo struct {
	// Updated is when the last update ended, Result how: succeeded, failed, in-progress. Both are zero where there
	// was none.
	Updated time.Time
	Result  string
	// Pending are the URNs of the operations whose end is not known.
	Pending []string
	// Resources is how many resources the stack has.
	Resources int
	// Image is the stack's output image: what the last rollout verified.
	Image string
}

// Options choose what a run does.
type Options struct {
	// Only and Skip are components; no Only means all.
	Only, Skip []string
	// Timeout bounds the run; what has not answered then is unknown. Zero means 60 s.
	Timeout time.Duration
	// Concurrency is how many calls to AWS are under way at once. Zero means 32.
	Concurrency int
	// Trace, when set, is told of every call to AWS after it ended. It is called from many goroutines, one at a time, and
	// not after the run has ended.
	Trace func(Call)
}

// Call is one call to AWS.
type Call struct {
	// ID counts the calls of a run, from 1, as they began.
	ID int
	// After are the calls for whose answers this one waited, by ID. Those that they waited for themselves may be missing.
	After []int
	// Service and Operation are the SDK's names: ECS, DescribeServices.
	Service, Operation string
	// Component is the check that made it; others may have waited for its answer.
	Component string
	// Start is when it was its turn, End when it was answered, after retries where there were some.
	Start, End time.Time
	Err        error
}

// Duration is how long the call took.
func (c Call) Duration() time.Duration { return c.End.Sub(c.Start) }

// Permission is the IAM action that the call needs.
func (c Call) Permission() string { return Permission(c.Service, c.Operation) }

// Run judges the environment. Checks run at the same time, none can stop another, and each yields at least one
// finding: one that could not read what it needs is unknown and says why, with the permission that is missing where
// that is the reason. When ctx ends, what is not judged yet is unknown too; the caller looks at ctx.
func Run(ctx context.Context, env *environment.Environment, src Sources, opt Options, clk clock.Clock) Report {
	return runChecks(ctx, All(), env, src, opt, clk)
}

// Defaults of Options.
const (
	defaultTimeout     = time.Minute
	defaultConcurrency = 32
	// gracePeriod is how long a run waits, after its context has ended, for checks that notice it and can say what they
	// were waiting for.
	gracePeriod = 200 * time.Millisecond
)

func runChecks(
	ctx context.Context, all []Check, env *environment.Environment, src Sources, opt Options, clk clock.Clock,
) Report {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(opt.Timeout, defaultTimeout))
	defer cancel()
	if src.Network.Resolver == nil {
		src.Network = probe.SystemNetwork()
	}
	trace := &tracer{callback: opt.Trace}
	// What was read ahead and nobody needed may still be under way when the run has ended.
	defer trace.stop()
	src.AWS = instrument(src.AWS, cmp.Or(opt.Concurrency, defaultConcurrency), trace, clk.Now)
	rc := &runContext{env: env, now: clk.Now().UTC(), clk: clk, src: src}
	report := Report{
		Environment: env.Name, Region: env.Region, Timestamp: rc.now.Truncate(time.Second),
		Services: []Finding{},
	}
	selected := selectChecks(all, opt)
	for i, outcome := range runAll(ctx, selected, rc) {
		if omitted := (*omittedError)(nil); errors.As(outcome.err, &omitted) {
			report.Omitted = append(report.Omitted, Omission{Component: selected[i].Component, Why: omitted.why})
			continue
		}
		report.Services = append(report.Services, outcome.findingsOf(selected[i].Component)...)
	}
	report.Summary = Aggregate(report.Services)
	report.LoadBalancers, report.Certificates = balancerSection(rc), certificateSection(rc)
	report.Debugging.StuckServices = stuckSection(rc, report.Services)
	return report
}

// selectChecks returns the checks that opt asks for.
func selectChecks(all []Check, opt Options) []Check {
	var selected []Check
	for _, c := range all {
		if (len(opt.Only) == 0 || slices.Contains(opt.Only, c.Component)) && !slices.Contains(opt.Skip, c.Component) {
			selected = append(selected, c)
		}
	}
	return selected
}

// omittedError is why a check leaves its component out rather than judging it.
type omittedError struct{ why string }

func (e *omittedError) Error() string { return e.why }

// outcome is what became of one check.
type outcome struct {
	findings []Finding
	err      error
}

// findingsOf are the findings about the component, at least one.
func (o outcome) findingsOf(component string) []Finding {
	findings := o.findings
	if o.err != nil {
		findings = append(findings, unknownFinding(component, o.err))
	}
	if len(findings) == 0 {
		findings = []Finding{newFinding(component, component).unknown(reasonNoResult, Hint{
			Cause: "the check found nothing to judge", Solution: "see whether the environment has this component",
		}, "no result")}
	}
	return findings
}

// runAll runs the checks at the same time and returns their outcomes in the order of the checks. A check that has
// not ended shortly after ctx has is given up.
func runAll(ctx context.Context, selected []Check, rc *runContext) []outcome {
	type numbered struct {
		outcome
		at int
	}
	ended := make(chan numbered, len(selected))
	for i, c := range selected {
		go func() {
			findings, err := c.run(withComponent(ctx, c.Component), rc)
			ended <- numbered{outcome{findings, err}, i}
		}()
	}
	graceCtx, cancel := withGrace(ctx, gracePeriod)
	defer cancel()
	outcomes := make([]outcome, len(selected))
	done := make([]bool, len(selected))
	for range selected {
		select {
		case n := <-ended:
			outcomes[n.at], done[n.at] = n.outcome, true
			continue
		case <-graceCtx.Done():
		}
		break
	}
	for i := range outcomes {
		if !done[i] {
			outcomes[i].err = ctx.Err()
		}
	}
	return outcomes
}

// withGrace returns a context that ends so much later than ctx.
func withGrace(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	graceCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return graceCtx, func() { stop(); cancel() }
}
