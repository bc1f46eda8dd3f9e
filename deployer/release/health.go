package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/probe"
)

// ProbeTarget is what the environment's health probes ask: its domain, and its load balancer directly.
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

// healthCheck probes the environment over its real domain, with the patience that its file says.
type healthCheck struct {
	env     *environment.Environment
	elb     *elb.Client
	network probe.Network
	clock   clock.Clock
}

func (h *healthCheck) run(ctx context.Context, log phaseLog) ([]probe.Result, error) {
	target, err := ProbeTarget(ctx, h.env, h.elb)
	if err != nil {
		return nil, err
	}
	var results []probe.Result
	for attempt := 1; ; attempt++ {
		results = probe.Run(ctx, target, h.network, h.clock)
		failed := failedProbes(results)
		if len(failed) == 0 {
			return results, nil
		}
		if ctx.Err() != nil {
			return results, ctx.Err()
		}
		if attempt == h.env.Deployment.Health.Tries {
			return results, probeError(failed, attempt)
		}
		log.progress("try %d of %d: %s", attempt, h.env.Deployment.Health.Tries, failed[0].Problem.Message)
		if err := h.clock.Wait(ctx, h.env.Deployment.Health.Interval); err != nil {
			return results, err
		}
	}
}

func failedProbes(results []probe.Result) []probe.Result {
	var failed []probe.Result
	for _, r := range results {
		if r.Problem != nil {
			failed = append(failed, r)
		}
	}
	return failed
}

// probeError says each problem once, with the probes that met it.
func probeError(failed []probe.Result, tries int) error {
	var messages []string
	probes := map[string][]string{}
	for _, r := range failed {
		message := r.Problem.Message
		if probes[message] == nil {
			messages = append(messages, message)
		}
		probes[message] = append(probes[message], fmt.Sprintf("%s through the %s", r.URL, r.Side))
	}
	text := fmt.Sprintf("after %d tries it does not answer well", tries)
	for _, message := range messages {
		text += "\n  " + message + "\n    " + strings.Join(probes[message], "\n    ")
	}
	return hint.With(errors.New(text), failed[0].Problem.Hint)
}
