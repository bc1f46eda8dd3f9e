package checks

import "github.com/balancer/v3-backend-infra/environment"

// command returns the deployer's command line for the environment.
func command(env *environment.Environment, verb string) string {
	switch verb {
	case "secrets set":
		return "deployer secrets set KEY --env " + env.Stack
	case "restart":
		return "deployer up --env " + env.Stack + " --code-only --restart"
	}
	return "deployer " + verb + " --env " + env.Stack
}

func awsCommand(env *environment.Environment, words string) string {
	return "aws " + words + " --region " + env.Region
}

// deployHint returns the hint for what a full deployment creates or repairs.
func deployHint(env *environment.Environment, cause string) Hint {
	return Hint{Cause: cause, Solution: "run a full deployment", Command: command(env, "up") + " --image-tag TAG"}
}

// missingHint returns the hint for something that does not exist, such as "the VPC".
func missingHint(env *environment.Environment, what string) Hint {
	return deployHint(env, "the environment was never deployed, or "+what+" was deleted")
}

// driftHint returns the hint for a setting that was changed outside the deployer.
func driftHint(env *environment.Environment, cause string) Hint {
	return Hint{Cause: cause, Solution: "see what else was changed, then run a full deployment", Command: command(env, "drift")}
}

// StopHint returns a stop's hint with its command completed for the environment.
func StopHint(env *environment.Environment, stop Stop) Hint {
	hint := stop.Hint
	if hint.Command != "" {
		hint.Command = command(env, hint.Command)
	}
	return hint
}
