package checks

import (
	"context"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

// OutdatedTasks returns a warning for each service that runs tasks older than the secrets that they read at their start, with
// the command that renews them. Services that cannot be looked at, or are not there, are passed over.
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

// The reasons of tasks that are to be restarted.
const (
	reasonOlderThanPassword      = "TasksOlderThanRotation"
	reasonOlderThanConfiguration = "TasksOlderThanConfiguration"
)
