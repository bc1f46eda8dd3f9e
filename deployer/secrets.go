package main

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/secrets"
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
		examples: []string{"deployer secrets check --env staging", "deployer secrets check --env staging --format json", "deployer secrets check --env all"},
		formats:  []string{"text", "json"},
		run: func(ctx context.Context, s settings, _ *cli.Context) error {
			return secretsCheck{s}.run(ctx)
		},
	}
}

// secretsCheck judges the secret by key, and the tasks by its age.
type secretsCheck struct{ settings }

// run looks at each environment; what is found names its own.
func (s secretsCheck) run(ctx context.Context) error {
	var code error
	all, _, err := survey(ctx, s.settings, func(ctx context.Context, one settings) ([]checks.Finding, error) {
		findings, err := secretsCheck{one}.look(ctx)
		if err == nil {
			code = worse(code, codeOf(checks.Aggregate(findings).Status))
		}
		return findings, err
	}, func(string, error) []checks.Finding {
		code = worse(code, verdict(codeNotRun))
		return nil
	})
	if err != nil {
		return err
	}
	return errors.Join(ui.Findings(s.out, slices.Concat(all...), s.format, s.style()), code)
}

// look judges one environment's secret.
func (s secretsCheck) look(ctx context.Context) (findings []checks.Finding, err error) {
	err = s.visit(ctx, func(env *environment.Environment, p *place) error {
		sources := checks.Sources{AWS: p.aws, Network: p.network}
		report := checks.Run(ctx, env, sources, checks.Options{Only: []string{"secrets"}}, p.clock)
		findings = append(report.Services, checks.OutdatedTasks(ctx, env, sources, p.clock)...)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	})
	return findings, err
}

// configSecret is the environment's configuration secret.
func (p *place) configSecret(env *environment.Environment) secrets.Store {
	return secrets.Store{Client: secretsmanager.NewFromConfig(p.aws), Name: env.SecretName(), Now: p.clock.Now}
}
