package checks

import (
	"context"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

// OutdatedTasks returns a warning for each service with tasks that started before a secret that they read was changed, with the
// command that restarts them. Services that cannot be read are left out.
func OutdatedTasks(ctx context.Context, env *environment.Environment, src Sources, clk clock.Clock) []Finding {
	var outdated []Finding
	for _, f := range Run(ctx, env, src, Options{Only: []string{"ecs_tasks"}}, clk).Services {
		if f.Reason == reasonOlderThanPassword || f.Reason == reasonOlderThanConfiguration {
			f.Details = nil
			outdated = append(outdated, f)
		}
	}
	return outdated
}

// Reasons why tasks must be restarted.
const (
	reasonOlderThanPassword      = "TasksOlderThanRotation"
	reasonOlderThanConfiguration = "TasksOlderThanConfiguration"
)
