package release

import (
	"context"
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// WakesFirst returns what a deployment does to an environment that is to be woken.
func WakesFirst(env *environment.Environment, state sleep.State) string {
	if state.Marker == nil {
		return "the alarms of " + env.Name + " are muted, although it is not marked as asleep: " +
			"the deployment wakes it first, which ends that"
	}
	return env.Name + " is asleep: the deployment wakes it first, and it stays awake"
}

// isWoken reports whether the deployment wakes the environment: preflight has found that it is asleep, or that its alarms are muted. A
// migration on its own wakes none.
func (d *deployment) isWoken() bool { return d.request.Kind != history.Migrate && d.asleep.Marked() }

// wake starts the database and waits until it is available, and starts the services with what they ran before. The rollout replaces their
// tasks, so that no one waits for these.
func (d *deployment) wake(ctx context.Context, log phaseLog) (string, error) {
	sleeper := sleep.New(d.deps.AWS, d.deps.Env, d.deps.Clock, d.request.By)
	for _, step := range append(sleeper.StartSteps(false), sleeper.EndSteps()...) {
		if _, err := step.Run(ctx, log.progress); err != nil {
			return "", err
		}
	}
	if d.asleep.Marker == nil {
		return "the alarms of " + d.deps.Env.Name + " were muted, and notify people again", nil
	}
	return fmt.Sprintf("%s was asleep since %s", d.deps.Env.Name, text.Minute(d.asleep.Marker.Since)), nil
}
