package release

import (
	"context"

	"github.com/balancer/v3-backend-infra/deployer/sleep"
)

// asleep reads whether the environment is to be woken, and returns why a deployment of one that is asleep cannot start then: it
// needs tasks that run, or a database, without deploying anything that would be worth waking it for. Any other wakes it, also
// where it has become protected since.
func (p *preflight) asleep(ctx context.Context) (sleep.State, []Problem) {
	state, err := sleep.New(p.aws, p.env, p.clock, "").ReadMarks(ctx)
	if state.Marker != nil && (p.migrationOnly || p.restart) {
		return state, blocking("asleep", sleep.NewAsleepError(ctx, p.aws, p.env, p.clock, *state.Marker))
	}
	if err != nil {
		return state, []Problem{{
			Check: "asleep", Message: err.Error(),
			Hint: "allow ssm:GetParameter and cloudwatch:DescribeAlarms; without them it is unknown whether the environment is asleep, " +
				"or its alarms are muted",
		}}
	}
	return state, nil
}
