package command

import (
	"context"
	"fmt"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/probe"
)

func healthVerb() verb {
	return verb{
		name: "health", usage: "probe /health and /health/ready over the environment's own domain",
		long: `Each path is requested twice: from the load balancer directly, with the domain as SNI, and from the domain through
DNS, which shows where a failure is. All addresses of a name are tried, and each request is given 10 s. An address that does not
accept connections, beside one that does, is a warning. Exit code: 0 healthy, 1 errors, 2 warnings, 3 could not run.`,
		examples: []string{"deployer health --env staging", "deployer health --env production --format json"},
		formats:  []string{"text", "json", "yaml"},
		run: func(ctx context.Context, s *services, _ *cli.Context) error {
			return s.targets.with(ctx, s.targets.selected, func(t *target.Target) error {
				return health(ctx, s.terminal, t, s.flags.format)
			})
		},
	}
}

// health probes an environment once.
func health(ctx context.Context, out *terminal, t *target.Target, format string) error {
	// Without the balancer's address, the domain itself is still probed.
	probed, lookup := release.ProbeTarget(ctx, t.Env, elb.NewFromConfig(t.AWS))
	results := probe.Run(ctx, probed, t.Network, t.Clock)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	notDeployed := false
	if !probe.AllOK(results) {
		if err := explainAsleep(ctx, t, nil); err != nil {
			return err
		}
		sources := checks.Sources{AWS: t.AWS, Network: t.Network}
		notDeployed = release.ExplainUnresolved(ctx, t.Env, sources, results, recordedTag(ctx, t), t.Clock)
		out.flags.addToProbes(results)
	}
	if err := ui.Probes(out.out, results, format, out.style()); err != nil {
		return err
	}
	switch {
	case notDeployed:
		return partialFailure{&notDeployedError{t.Env}}
	case !probe.AllOK(results) && release.IsNoLoadBalancer(lookup):
		return partialFailure{hint.With(fmt.Errorf("%s has no load balancer yet, so nothing answers: no full deployment of it has ended, or it was deleted", t.Name),
			"`deployer up --env "+t.Stack+" --image-tag TAG` continues an interrupted deployment; with --refresh it creates again what was deleted")}
	case !probe.AllOK(results):
		return exitStatus(codeFailed)
	case lookup != nil:
		printError(out.err, lookup)
		return exitStatus(codeWarnings)
	case probe.HasWarnings(results):
		return exitStatus(codeWarnings)
	}
	return nil
}
