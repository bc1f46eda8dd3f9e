package command

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/environment"
)

func restartVerb() verb {
	return verb{
		name: "restart", usage: "start new tasks of the image that runs, with the current secrets",
		changes: true,
		long: `The same as up --code-only --restart: new tasks replace those that run, as in a rollout, so that they read the secrets
again. With --service, only one service is restarted, with the code that is deployed: what the environment's file changes waits
for the next deployment.`,
		examples: []string{
			"deployer restart --env staging",
			"deployer restart --env staging --service worker",
			"deployer restart --env production --dry-run",
		},
		formats: []string{"text", "json"},
		flags: []cli.Flag{
			&cli.StringFlag{Name: "service", Usage: "restart only this `SERVICE`: api, worker or scheduler", DefaultText: "all"},
			&cli.BoolFlag{Name: "dry-run", Usage: "run preflight, show what would change, and change nothing"},
			waitFlag(),
			strictFlag(),
		},
		engine: true,
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			o := upOptions{
				targets: s.targets, terminal: s.terminal, stacks: s.stacks, locks: s.locks, shared: s.shared, releaser: s.releaser(),
				action: "restart", codeOnly: true, restart: true, service: environment.Role(c.String("service")), dryRun: c.Bool("dry-run"),
			}
			return s.withJSONResult(o.kind(), o.tag, func() error { return o.run(ctx) })
		},
	}
}
