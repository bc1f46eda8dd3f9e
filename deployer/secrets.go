package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/secretstore"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func secretsVerb() verb {
	return verb{
		name: "secrets", usage: "the configuration secret; no value is ever printed",
		verbs: []verb{secretsCheckVerb(), secretsInitVerb(), secretsSetVerb(), secretsDiffVerb()},
	}
}

func secretsCheckVerb() verb {
	return verb{
		name: "check", usage: "whether the secret has every key that the tasks need",
		discreet: true,
		about:    "What preflight asks of the secret. Where services run with values from before its last change, it names them.",
		examples: []string{"deployer secrets check --env staging", "deployer secrets check --env staging --format json"},
		formats:  []string{"text", "json"},
		run: func(ctx context.Context, s settings, _ *cli.Context) error {
			return secretsCheck{s}.run(ctx)
		},
	}
}

// secretsCheck judges the secret by key, and the tasks by its age.
type secretsCheck struct{ settings }

func (s secretsCheck) run(ctx context.Context) error {
	return s.visit(ctx, func(env *environment.Environment, p *place) error {
		sources := checks.Sources{AWS: p.aws, Network: p.network}
		report := checks.Run(ctx, env, sources, checks.Options{Only: []string{"secrets"}}, p.clock)
		findings := append(report.Services, checks.Stale(ctx, env, sources, p.clock)...)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := ui.Findings(s.out, findings, s.format, s.style()); err != nil {
			return err
		}
		return codeOf(checks.Aggregate(findings).Status)
	})
}

// configSecret is the environment's configuration secret.
func (p *place) configSecret(env *environment.Environment) secretstore.Store {
	return secretstore.Store{Client: secretsmanager.NewFromConfig(p.aws), Name: env.SecretName(), Now: p.clock.Now}
}
