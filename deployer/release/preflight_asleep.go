package release

import (
	"context"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
)

// asleep reads whether the environment is asleep, and returns why a deployment cannot start then: one that needs tasks that run, or a database,
// without deploying anything that would be worth waking it for. Any other wakes it, also where it has become protected since.
func (p *preflight) asleep(ctx context.Context) (*environment.SleepMarker, []Problem) {
	marker, err := asleep.Read(ctx, p.aws, p.env)
	if err != nil {
		return nil, []Problem{{Check: "asleep", Message: err.Error(), Hint: "allow ssm:GetParameter; without it, no one knows whether the environment is asleep"}}
	}
	if marker == nil || !p.migrationOnly && !p.restart {
		return marker, nil
	}
	return marker, blocking("asleep", sleep.NewAsleepError(ctx, p.aws, p.env, clock.Real(), *marker))
}
