package command

import (
	"context"
	"runtime"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

func versionVerb() verb {
	return verb{
		name: versionFlag, usage: "print the versions of the deployer and its engine",
		formats: []string{"text", "json"},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			found := "not found"
			if e, err := engine.Find(ctx, s.flags.EngineOptions()); err == nil {
				found = "v" + e.Version().String() + " at " + e.Path()
			}
			if s.flags.format == "json" {
				return ui.JSON(s.terminal.out, map[string]string{
					"version": c.App.Version, "go": runtime.Version(), "engine": found, "enginePinned": engine.Version,
				})
			}
			s.terminal.printf("deployer %s (%s)\nengine   %s (pinned %s)\n", c.App.Version, runtime.Version(), found, engine.Version)
			return nil
		},
	}
}
