package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

func versionVerb() verb {
	return verb{
		name: "version", usage: "the deployer's version, and the engine's that it drives",
		formats: []string{"text", "json"},
		run: func(ctx context.Context, s settings, _ *cli.Context) error {
			found := "not found"
			if e, err := engine.Find(ctx, s.engineOptions()); err == nil {
				found = "v" + e.Version().String() + " at " + e.Path()
			}
			if s.format == "json" {
				return ui.JSON(s.out, map[string]string{
					"version": version, "go": runtime.Version(), "engine": found, "enginePinned": engine.Version,
				})
			}
			_, err := fmt.Fprintf(s.out, "deployer %s (%s)\nengine   %s (pinned %s)\n", version, runtime.Version(), found, engine.Version)
			return err
		},
	}
}
