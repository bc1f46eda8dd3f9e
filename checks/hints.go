package checks

import "github.com/balancer/v3-backend-infra/environment"

// command is the deployer's command for the environment that a hint names.
func command(env *environment.Environment, verb string) string {
	switch verb {
	case "secrets set":
		return "deployer secrets set KEY --env " + env.Stack
	case "restart":
		return "deployer up --env " + env.Stack + " --code-only --restart"
	}
	return "deployer " + verb + " --env " + env.Stack
}

// awsCommand is a command of the AWS CLI in the environment's region.
func awsCommand(env *environment.Environment, words string) string {
	return "aws " + words + " --region " + env.Region
}

// deployHint is for what a full deployment makes or puts right.
func deployHint(env *environment.Environment, cause string) Hint {
	return Hint{Cause: cause, Solution: "run a full deployment", Command: command(env, "up") + " --image-tag TAG"}
}

// driftHint is for what somebody changed past the program.
func driftHint(env *environment.Environment, cause string) Hint {
	return Hint{Cause: cause, Solution: "see what else was changed, then run a full deployment", Command: command(env, "drift")}
}

// StopHint is the hint of a stop in an environment: the command of a stop's own hint is a verb.
func StopHint(env *environment.Environment, stop Stop) Hint {
	hint := stop.Hint
	if hint.Command != "" {
		hint.Command = command(env, hint.Command)
	}
	return hint
}
