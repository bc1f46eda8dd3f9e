package release

import (
	"context"
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/sleep"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/asleep"
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
	return fmt.Sprintf("%s was asleep since %s", d.deps.Env.Name, d.asleep.Since.UTC().Format("2006-01-02 15:04 UTC")), nil
}

// asleep reads whether the environment is asleep, and returns why a deployment cannot start then: one that needs tasks that run, or a database,
// without deploying anything that would be worth waking it for.
func (p *preflight) asleep(ctx context.Context) (*asleep.Marker, []Problem) {
	marker, err := sleep.Marker(ctx, p.aws, p.env)
	if err != nil {
		return nil, []Problem{{Check: "asleep", Message: err.Error(), Hint: "allow ssm:GetParameter; without it, no one knows whether the environment is asleep"}}
	}
	if marker == nil || !p.migrationOnly && !p.restart {
		return marker, nil
	}
	what := "no task runs, so there is nothing to restart"
	if p.migrationOnly {
		what = "its database is stopped, so there is nothing to migrate"
	}
	return marker, blocking("asleep", hint.With(fmt.Errorf("%s is asleep since %s: %s", p.env.Name,
		marker.Since.UTC().Format("2006-01-02 15:04 UTC"), what), "wake it first: `deployer wake --env "+p.env.Stack+"`"))
}
