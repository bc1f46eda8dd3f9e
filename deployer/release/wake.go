package release

import (
	"context"
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// WakesFirst returns what a deployment does to an environment that is asleep.
func WakesFirst(env *environment.Environment) string {
	return env.Name + " is asleep: the deployment wakes it first, and it stays awake"
}

// isAsleep reports whether preflight has found the environment asleep.
func (d *deployment) isAsleep() bool { return d.asleep != nil }

// wake starts the database and waits until it is available, and starts the services with what they ran before. The rollout replaces their
// tasks, so that no one waits for these.
func (d *deployment) wake(ctx context.Context, log phaseLog) (string, error) {
	sleeper := sleep.New(d.deps.AWS, d.deps.Env, d.deps.Clock, d.request.By)
	for _, step := range append(sleeper.StartSteps(false), sleeper.EndSteps()...) {
		if _, err := step.Run(ctx, log.progress); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s was asleep since %s", d.deps.Env.Name, text.Minute(d.asleep.Since)), nil
}
