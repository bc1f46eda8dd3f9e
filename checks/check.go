package checks

import (
	"context"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// Check evaluates one component of an environment.
type Check struct {
	// Component is the name that --only and --skip take.
	Component string
	// Summary describes in a few words what is checked.
	Summary string
	// run reads and evaluates. On an error the component is reported as unknown.
	run func(context.Context, *runContext) ([]Finding, error)
}

// Components returns the names that --only and --skip take, in the order of a report.
func Components() []string {
	return list.Map(All(), func(c Check) string { return c.Component })
}

// UnknownComponents returns the names that no check has.
func UnknownComponents(names []string) []string {
	known := Components()
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(known, name) })
}

// All returns the table of checks. Help and the validation of --only derive from it.
func All() []Check {
	return []Check{
		{"stack", "the last update, and operations whose result is not known", checkStack},
		{"vpc", "the VPC and its range", evaluating(readVPC, evaluateVPC)},
		{"subnets", "public and private subnets in each zone, with free addresses", evaluating(readSubnets, evaluatePublicSubnets, evaluatePrivateSubnets)},
		{"nat", "the NAT gateways, or the NAT instance with its routes", checkNAT},
		{"security_groups", "ports open to the internet", checkSecurityGroups},
		{"ecs_cluster", "the cluster is active", evaluating(readCluster, evaluateCluster)},
		{"ecs_service", "each service runs its tasks; stuck rollouts, and why tasks stopped", checkServices},
		{"ecs_tasks", "the running tasks, their health and age", checkTasks},
		{"task_definition", "images, variables and secret keys that tasks refer to", checkTaskDefinitions},
		{"autoscaling", "bounds and policies of the services that scale", checkAutoscaling},
		{"load_balancer", "the load balancer is active", checkBalancer},
		{"listeners", "HTTP redirects, HTTPS forwards with a current TLS policy", evaluating(readListeners, evaluateHTTP, evaluateHTTPS)},
		{"target_groups", "targets by state and reason", evaluating(readTargetGroup, evaluateTargetGroup)},
		{"certificate", "the certificate's status, names, days left and validation", checkCertificate},
		{"hosted_zone", "the zone of the root domain", evaluating(readZone, evaluateZone)},
		{"dns", "alias records that point to the load balancer", checkDNS},
		{"delegation", "the registrar's name servers are the zone's", checkDelegation},
		{"database", "the database's status, storage, encryption and maintenance", checkDatabase},
		{"database_backups", "retention, snapshots and the latest point to restore to", checkBackups},
		{"queue", "waiting messages, their age, and the dead letter queue", checkQueue},
		{"dead_letter_queue", "messages that could not be processed", evaluating(readDeadLetterQueue, evaluateDeadLetters)},
		{"secrets", "the configuration secret has every required key", checkSecrets},
		{"image_repository", "the image repository and its scans", evaluating(readRepository, evaluateRepository)},
		{"image", "the running image: the deployed one, in the registry, its findings", checkImage},
		{"buckets", "the bucket of access logs is private and encrypted", evaluating(readBucket, evaluateBucket)},
		{"alarms", "alarms in alarm, missing or without data, and who is notified", checkAlarms},
		{"log_groups", "the log group and its retention", evaluating(readLogGroup, evaluateLogGroup)},
		{"waf", "the web ACL in front of the load balancer", checkWAF},
		{"roles", "the roles of the tasks and who may assume them", checkRoles},
		{"budget", "this month's costs and the budget", evaluating(readBudget, evaluateBudget)},
		{"endpoint", "the health path over HTTPS, on both sides of DNS", checkEndpoint},
		{"readiness", "the readiness path over HTTPS, on both sides of DNS", checkReadiness},
		{"tls", "the certificate that clients see", checkTLS},
		{"compliance", "the environment compared with its own file", checkCompliance},
	}
}

// evaluating returns the function of a check that reads one value and evaluates it, with each of evaluate.
func evaluating[T any](
	read func(context.Context, *runContext) (T, error), evaluate ...func(T, *environment.Environment) Finding,
) func(context.Context, *runContext) ([]Finding, error) {
	return func(ctx context.Context, rc *runContext) ([]Finding, error) {
		found, err := read(ctx, rc)
		if err != nil {
			return nil, err
		}
		return list.Map(evaluate, func(evaluate func(T, *environment.Environment) Finding) Finding { return evaluate(found, rc.env) }), nil
	}
}

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

// tagPlaceholder replaces, in commands of hints, the tag of the image that runs, which only records have.
const tagPlaceholder = "--image-tag TAG"

// NeedsTag reports whether a hint's command lacks the tag of the image that runs.
func (r Report) NeedsTag() bool { return slices.ContainsFunc(r.Services, needsTag) }

func needsTag(f Finding) bool {
	return f.Hint != nil && strings.Contains(f.Hint.Command, tagPlaceholder)
}

// SetTag replaces the placeholder in the commands of hints with a tag.
func (r Report) SetTag(tag string) {
	for i, f := range r.Services {
		if needsTag(f) {
			hint := *f.Hint // findings share hints
			hint.Command = strings.ReplaceAll(hint.Command, tagPlaceholder, "--image-tag "+tag)
			r.Services[i].Hint = &hint
		}
	}
}

// deployHint returns the hint for what a full deployment creates or repairs. Without --refresh, a deployment takes what was deleted or
// changed outside of it to be as in the state.
// Source: https://www.pulumi.com/docs/iac/cli/commands/pulumi_up/
func deployHint(env *environment.Environment, cause string) Hint {
	return Hint{
		Cause: cause, Solution: "run a full deployment with --refresh, which finds what was deleted or changed in the account",
		Command: command(env, "up") + " " + tagPlaceholder + " --refresh",
	}
}

// missingHint returns the hint for something that does not exist, such as "the VPC".
func missingHint(env *environment.Environment, what string) Hint {
	return deployHint(env, "the environment was never deployed, or "+what+" was deleted")
}

// driftHint returns the hint for a setting that was changed outside the deployer.
func driftHint(env *environment.Environment, cause string) Hint {
	return Hint{Cause: cause, Solution: "see what else was changed, then run a full deployment with --refresh", Command: command(env, "drift")}
}

// undeployedFile returns a further cause of a difference from the environment's file: the account is as it was deployed.
func undeployedFile(env *environment.Environment) string {
	return ", or " + environment.FileName(env.Stack) + " was changed and not deployed"
}

// differsHint returns the hint for what the environment's file sets differently, such as "the limit was changed".
func differsHint(env *environment.Environment, what string) Hint {
	return driftHint(env, what+" outside the deployer"+undeployedFile(env))
}

// missingFromHint returns the hint for something that an environment has only where its file requires it.
func missingFromHint(env *environment.Environment, what string) Hint {
	return deployHint(env, "the environment was never deployed, "+what+" was deleted"+undeployedFile(env))
}

// platformPlaceholder stands for the platform of the environment's tasks in the hint of a stop.
const platformPlaceholder = "PLATFORM"

// StopHint returns a stop's hint with its command and platform completed for the environment.
func StopHint(env *environment.Environment, stop Stop) Hint {
	hint := stop.Hint
	hint.Solution = strings.ReplaceAll(hint.Solution, platformPlaceholder, env.Platform())
	if hint.Command != "" {
		hint.Command = command(env, hint.Command)
	}
	return hint
}
