package main

import (
	"context"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/probe"
)

func healthVerb() verb {
	return verb{
		name: "health", usage: "probe /health and /health/ready over the environment's own domain",
		about: `Each path is asked twice: of the load balancer directly, with the domain as SNI, and of the domain through
DNS, so that it is clear which side is wrong.`,
		examples: []string{"deployer health --env staging", "deployer health --env production --format json"},
		formats:  []string{"text", "json", "yaml"},
		run: func(ctx context.Context, s settings, _ *cli.Context) error {
			return health{s}.run(ctx)
		},
	}
}

// health probes an environment once.
type health struct{ settings }

func (h health) run(ctx context.Context) error {
	return h.visit(ctx, func(env *environment.Environment, p *place) error {
		// Without the balancer's address, the domain itself is still probed.
		target, lookup := release.ProbeTarget(ctx, env, elb.NewFromConfig(p.aws))
		results := probe.Run(ctx, target, p.network, p.clock)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := ui.Probes(h.out, results, h.format, h.style()); err != nil {
			return err
		}
		switch {
		case !probe.AllOK(results):
			return verdict(codeFailed)
		case lookup != nil:
			printError(h.err, lookup)
			return verdict(codeWarnings)
		}
		return nil
	})
}
