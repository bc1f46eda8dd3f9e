package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
	"github.com/balancer/v3-backend-infra/probe"
)

// ProbeTarget returns what the environment's health probes request: its domain, and its load balancer directly.
func ProbeTarget(ctx context.Context, env *environment.Environment, client *elb.Client) (probe.Target, error) {
	target := probe.Target{Domain: env.Domain.Name, Paths: []string{environment.HealthPath, environment.ReadyPath}}
	out, err := client.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{env.LoadBalancerName()}})
	if err != nil {
		return target, fmt.Errorf("look up the load balancer %s: %w", env.LoadBalancerName(), err)
	}
	if len(out.LoadBalancers) > 0 {
		target.LoadBalancer = aws.ToString(out.LoadBalancers[0].DNSName)
	}
	return target, nil
}

// IsNoLoadBalancer reports whether an error of ProbeTarget is that the environment has no load balancer.
func IsNoLoadBalancer(err error) bool {
	var missing *elbtypes.LoadBalancerNotFoundException
	return errors.As(err, &missing)
}

// ExplainUnresolved gives probes of a domain without an address the hint of the check that finds the cause, so that a deployment and the
// commands `health` and `status` advise the same. tag is that of the image that runs, "" where it is not known. It reports whether the
// environment is not deployed at all.
func ExplainUnresolved(
	ctx context.Context, env *environment.Environment, sources checks.Sources, results []probe.Result, tag string, clk clock.Clock,
) (notDeployed bool) {
	unresolved := func(r probe.Result) bool { return r.Problem != nil && r.Problem.Reason == probe.DNSNotFound }
	if !slices.ContainsFunc(results, unresolved) {
		return false
	}
	report := checks.Run(ctx, env, sources, checks.Options{Only: []string{"dns", "delegation"}}, clk)
	if tag != "" {
		report.SetTag(tag)
	}
	cause := list.Find(report.Services, func(f checks.Finding) bool { return f.Status == checks.Error })
	if cause == nil {
		return false
	}
	advice := cause.Hint.Solution
	if cause.Hint.Command != "" {
		advice += ": `" + cause.Hint.Command + "`"
	}
	for i, r := range results {
		if unresolved(r) {
			results[i].Problem = &probe.Problem{Reason: r.Problem.Reason, Message: r.Problem.Message, Hint: advice}
		}
	}
	return report.NotDeployed()
}

// WaitHealthy probes an environment over its domain, as often as its file allows, and returns the last results.
func WaitHealthy(ctx context.Context, deps Deps, report func(string)) ([]probe.Result, error) {
	log := phaseLog{phase: Health, now: deps.Clock.Now, report: func(e Event) { report(e.Message) }}
	return deps.probe(ctx, log, deps.Env, "")
}

// probe probes an environment over its domain, as often as its file allows. tag is that of the image that runs, "" where it is not known.
func (d Deps) probe(ctx context.Context, log phaseLog, env *environment.Environment, tag string) ([]probe.Result, error) {
	target, err := ProbeTarget(ctx, env, elb.NewFromConfig(d.AWS))
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		results := probe.Run(ctx, target, d.Network, d.Clock)
		failed := list.Filter(results, func(r probe.Result) bool { return r.Problem != nil })
		switch {
		case len(failed) == 0:
			for _, warning := range warningsOf(results) {
				log.warn("%s", warning)
			}
			return results, nil
		case ctx.Err() != nil:
			return results, ctx.Err()
		case attempt == env.Deployment.Health.Tries:
			ExplainUnresolved(ctx, env, checks.Sources{AWS: d.AWS, Network: d.Network}, failed, tag, d.Clock)
			return results, &probesError{failed: failed, all: results, tries: attempt}
		}
		log.progress("try %d of %d: %s", attempt, env.Deployment.Health.Tries, failed[0].Problem.Message)
		if err := d.Clock.Wait(ctx, env.Deployment.Health.Interval); err != nil {
			return results, err
		}
	}
}

// warningsOf returns each warning of the probes once.
func warningsOf(results []probe.Result) []string {
	var messages []string
	for _, r := range results {
		for _, w := range r.Warnings {
			if !slices.Contains(messages, w.Message) {
				messages = append(messages, w.Message)
			}
		}
	}
	return messages
}

// probesError reports the probes that failed in the last of all tries.
type probesError struct {
	failed, all []probe.Result
	tries       int
}

// Error lists each problem once, with the probes that have it.
func (e *probesError) Error() string {
	var messages []string
	probes := map[string][]string{}
	for _, r := range e.failed {
		message := r.Problem.Message
		if probes[message] == nil {
			messages = append(messages, message)
		}
		probes[message] = append(probes[message], fmt.Sprintf("%s through the %s", r.URL, r.Side))
	}
	lines := fmt.Sprintf("the probes still fail after %d tries", e.tries)
	for _, message := range messages {
		lines += "\n  " + message + "\n    " + strings.Join(probes[message], "\n    ")
	}
	return lines
}

// Hint returns that of the first problem.
func (e *probesError) Hint() string { return e.failed[0].Problem.Hint }

// outside returns what fails for every image, because it lies before the application: DNS, TLS, the connection, the load balancer. It
// returns "" where the application may be the cause. What another address than the load balancer's responds, while that responds well, is not
// the application's.
func (e *probesError) outside() string {
	var balancer []string
	healthy := false
	for _, r := range e.all {
		if r.Side == probe.SideLoadBalancer {
			balancer, healthy = r.DNS, healthy || r.OK()
		}
	}
	elsewhere := func(r probe.Result) bool {
		return healthy && r.Side == probe.SideDomain && !slices.Contains(balancer, r.Address)
	}
	var causes []string
	for _, r := range e.failed {
		if r.OfApplication && !elsewhere(r) {
			return ""
		}
		cause := outsideCause(r.Problem.Reason)
		if r.OfApplication {
			cause = "DNS, which names another host"
		}
		if !slices.Contains(causes, cause) {
			causes = append(causes, cause)
		}
	}
	return text.Join(causes, "and")
}

// outsideCause returns what has the problem, where that is not the application.
func outsideCause(reason probe.Reason) string {
	switch {
	case reason == probe.DNSNotFound || reason == probe.DNSFailed:
		return "DNS"
	case reason.IsCertificate():
		return "the certificate"
	case reason == probe.PlainHTTP || reason == probe.TLSFailed:
		return "TLS at the load balancer"
	case reason == probe.HTTPStatus:
		return "a rule of the listener or the web ACL"
	}
	return "the connection to the load balancer"
}
