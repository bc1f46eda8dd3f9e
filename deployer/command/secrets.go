package command

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/secrets"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

func secretsVerb() verb {
	return verb{
		name: "secrets", usage: "check and change the configuration secret; values are never printed",
		verbs: []verb{secretsCheckVerb(), secretsInitVerb(), secretsSetVerb(), secretsDiffVerb()},
	}
}

func secretsCheckVerb() verb {
	return verb{
		name: "check", usage: "check that the secret has every key that the tasks need",
		sensitive: true,
		long:      "Runs the checks of preflight that are about the secret. Names services that run with values from before its last change.",
		examples:  []string{"deployer secrets check --env staging", "deployer secrets check --env staging --format json", "deployer secrets check --env all"},
		formats:   []string{"text", "json"},
		run: func(ctx context.Context, s *services, _ *cli.Context) error {
			return secretsCheckOptions{targets: s.targets, terminal: s.terminal, format: s.flags.format}.run(ctx)
		},
	}
}

type secretsCheckOptions struct {
	targets  *targets
	terminal *terminal
	format   string
}

func (o secretsCheckOptions) run(ctx context.Context) error {
	var code error
	all, err := forEachEnvironment(ctx, o.targets, func(ctx context.Context, name string) ([]checks.Finding, error) {
		findings, err := o.inspect(ctx, name)
		if err == nil {
			code = worse(code, codeOf(checks.Aggregate(findings).Status))
		}
		return findings, err
	}, func(string, error) []checks.Finding {
		code = worse(code, exitStatus(codeNotRun))
		return nil
	})
	if err != nil {
		return err
	}
	findings := slices.Concat(all...)
	o.terminal.flags.addToFindings(findings)
	return errors.Join(ui.Findings(o.terminal.out, findings, o.format, o.terminal.style()), code)
}

// inspect judges one environment's secret by key, and the tasks by its age.
func (o secretsCheckOptions) inspect(ctx context.Context, name string) (findings []checks.Finding, err error) {
	err = o.targets.with(ctx, name, func(t *target.Target) error {
		sources := checks.Sources{AWS: t.AWS, Network: t.Network}
		report := checks.Run(ctx, t.Env, sources, checks.Options{Only: []string{"secrets"}}, t.Clock)
		findings = append(report.Services, checks.OutdatedTasks(ctx, t.Env, sources, t.Clock)...)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	})
	return findings, err
}

// configSecret returns the store of the environment's configuration secret.
func configSecret(t *target.Target) secrets.Store {
	return secrets.Store{Client: secretsmanager.NewFromConfig(t.AWS), Name: t.Env.SecretName(), Now: t.Clock.Now}
}
