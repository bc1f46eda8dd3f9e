package checks

import "github.com/balancer/v3-backend-infra/environment"

// command is the deployer's command for the environment.
func command(env *environment.Environment, verb string) string {
	return "deployer " + verb + " --env " + env.Stack
}

// deployHint is for what a full deployment makes or puts right.
func deployHint(env *environment.Environment, cause string) Hint {
	return Hint{Cause: cause, Solution: "run a full deployment", Command: command(env, "up") + " --image-tag TAG"}
}

// driftHint is for what somebody changed past the program.
func driftHint(env *environment.Environment, cause string) Hint {
	return Hint{Cause: cause, Solution: "see what else was changed, then run a full deployment", Command: command(env, "drift")}
}

// stopHint is the hint of a stop, its command for the environment.
func stopHint(env *environment.Environment, stop Stop) Hint {
	hint := stop.Hint
	if hint.Command != "" {
		hint.Command += " --env " + env.Stack
	}
	return hint
}
