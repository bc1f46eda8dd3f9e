package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

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

// probe probes an environment over its domain, as often as its file allows.
func (d *deployment) probe(ctx context.Context, log phaseLog, env *environment.Environment) ([]probe.Result, error) {
	target, err := ProbeTarget(ctx, env, elb.NewFromConfig(d.deps.AWS))
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		results := probe.Run(ctx, target, d.deps.Network, d.deps.Clock)
		failed := list.Filter(results, func(r probe.Result) bool { return r.Problem != nil })
		switch {
		case len(failed) == 0:
			return results, nil
		case ctx.Err() != nil:
			return results, ctx.Err()
		case attempt == env.Deployment.Health.Tries:
			return results, &probesError{failed: failed, all: results, tries: attempt}
		}
		log.progress("try %d of %d: %s", attempt, env.Deployment.Health.Tries, failed[0].Problem.Message)
		if err := d.deps.Clock.Wait(ctx, env.Deployment.Health.Interval); err != nil {
			return results, err
		}
	}
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
