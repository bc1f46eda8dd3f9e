package checks

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/list"
)

// StopKind classifies why a task stopped.
type StopKind string

// The kinds of causes.
const (
	// StopExpected is an intended stop: a new deployment, scaling in, a user's request.
	StopExpected  StopKind = "Expected"
	StopImagePull StopKind = "ImagePull"
	// StopMissingSecret is a missing secret, or a missing key in it, that the task refers to.
	StopMissingSecret StopKind = "MissingSecret"
	StopAccessDenied  StopKind = "AccessDenied"
	// StopNoRoute is a subnet from which AWS's services are unreachable.
	StopNoRoute     StopKind = "NoRoute"
	StopLogGroup    StopKind = "LogGroup"
	StopOutOfMemory StopKind = "OutOfMemory"
	StopCapacity    StopKind = "Capacity"
	StopNoAddress   StopKind = "NoAddress"
	// StopNetwork is a network interface that was not ready in time.
	StopNetwork StopKind = "Network"
	// StopHealthCheck is a task that ECS replaced because it was not healthy.
	StopHealthCheck StopKind = "HealthCheck"
	// StopCommand is a container whose command could not be started.
	StopCommand StopKind = "Command"
	// StopInfrastructure is a machine that AWS took out of service.
	StopInfrastructure StopKind = "Infrastructure"
	// StopExitCode is a container that exited with an error.
	StopExitCode StopKind = "ExitCode"
	// StopCompleted is a container that exited with code 0: success for a migration, an error for a service.
	StopCompleted StopKind = "Completed"
	StopOther     StopKind = "Other"
)

// Stop is why a task stopped.
type Stop struct {
	Kind StopKind
	// Message is one line for a person; Reason is ECS's text.
	Message, Reason string
	// Container is the container that ended the task and ExitCode its exit code, where there are such.
	Container string
	ExitCode  *int
	// Key is the secret's missing key, for StopMissingSecret.
	Key string
	// Permanent reports whether retrying does not help.
	Permanent bool
	Hint      Hint
}

// Failed reports whether the task should not have stopped.
func (s Stop) Failed() bool { return s.Kind != StopExpected }

// Ended reports whether all containers of a task have stopped; its network interface may still exist.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
func Ended(task ecstypes.Task) bool {
	status := aws.ToString(task.LastStatus)
	return status == "STOPPED" || status == "DEPROVISIONING"
}

// stopRule recognises a cause in ECS's text. The message may use the pattern's first group as %s.
type stopRule struct {
	kind      StopKind
	pattern   *regexp.Regexp
	permanent bool
	message   string
	hint      Hint
}

// stopRules are tried in order; the first whose pattern matches wins.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
var stopRules = []stopRule{
	{StopMissingSecret, regexp.MustCompile(`(?i)did not contain json key ["']?([A-Za-z0-9_.-]+)`), true,
		"the secret has no key %s", Hint{
			Cause:    "the task definition refers to a key that the configuration secret does not have",
			Solution: "add the key to the secret, then deploy again"}},
	{StopMissingSecret, regexp.MustCompile(`(?is)secret.*(?:ResourceNotFoundException|can't find the specified secret|marked for deletion)`), true,
		"the secret does not exist", Hint{
			Cause:    "the task definition refers to a secret that was deleted or never created",
			Solution: "create the secret, then deploy again"}},
	{StopNoRoute, regexp.MustCompile(`(?is)(?:ResourceInitializationError|CannotPull).*(?:i/o timeout|deadline exceeded|connection (?:timed out|refused|reset)|no such host|request canceled|net/http)`), false,
		"the task cannot reach AWS from its subnet", Hint{
			Cause:    "the private subnet has no route to a NAT gateway, or the security group blocks outgoing connections",
			Solution: "check the NAT gateways, the route tables and the service's security group"}},
	{StopImagePull, regexp.MustCompile(`(?is)CannotPull.*(?:AccessDenied|not authorized|403 Forbidden)`), true,
		"the image cannot be pulled, the registry refuses it", Hint{
			Cause:    "the execution role, or the registry's policy, does not allow the pull",
			Solution: "compare the execution role's policies and the repository's with the infra program's"}},
	{StopAccessDenied, regexp.MustCompile(`(?is)(?:ResourceInitializationError|CannotPull).*(?:AccessDenied|not authorized|403 Forbidden)`), true,
		"the execution role may not fetch what the task needs", Hint{
			Cause:    "the execution role lacks a permission for the image, the secret or its key",
			Solution: "compare the execution role's policies with the infra program's"}},
	{StopImagePull, regexp.MustCompile(`(?i)(?:TooManyRequests|toomanyrequests|rate limit)`), false,
		"the registry limits the pulls of the image", Hint{
			Cause:    "the registry receives too many requests",
			Solution: "wait, or pull the image from the account's own registry"}},
	{StopImagePull, regexp.MustCompile(`(?i)CannotPull|pull image|ImagePull`), true,
		"the image cannot be pulled", Hint{
			Cause:    "the image or its digest is not in the registry, or is for another CPU architecture",
			Solution: "push the image, or deploy one that the registry has",
			Command:  "images"}},
	{StopLogGroup, regexp.MustCompile(`(?is)(?:logger args|log group|CreateLogStream).*(?:does not exist|ResourceNotFound|not found)`), true,
		"the log group does not exist", Hint{
			Cause:    "the log group was deleted",
			Solution: "run a full deployment, which recreates it"}},
	{StopOutOfMemory, regexp.MustCompile(`(?i)OutOfMemory|out of memory|memory usage`), false,
		"the container ran out of memory", Hint{
			Cause:    "the application uses more memory than its task has",
			Solution: "give the service more memory in the environment's file, or find the leak"}},
	{StopCapacity, regexp.MustCompile(`(?i)capacity is unavailable|no capacity|insufficient capacity|limit on the number of vCPUs|RESOURCE:(?:CPU|MEMORY|FARGATE)`), false,
		"Fargate has no capacity", Hint{
			Cause:    "AWS currently has no capacity in these zones, or a quota is exhausted",
			Solution: "try again later; if it persists, check the Fargate quota of the account"}},
	{StopNoAddress, regexp.MustCompile(`(?i)InsufficientFreeAddresses|NetworkInterfaceLimitExceeded|RESOURCE:ENI|no free (?:private )?(?:ip )?addresses|not have enough (?:free )?(?:ip )?addresses`), false,
		"the subnet has no free address", Hint{
			Cause:    "the private subnets have no address left, or the account no network interface",
			Solution: "stop what is not needed there, request a higher quota of network interfaces, or give the VPC larger subnets"}},
	{StopNetwork, regexp.MustCompile(`(?i)network interface|EphemeralStorage provisioning`), false,
		"the task's network interface was not ready in time", Hint{
			Cause:    "AWS was slow to attach it",
			Solution: "wait: ECS tries again"}},
	{StopHealthCheck, regexp.MustCompile(`(?i)failed ELB health checks`), false,
		"the task failed the load balancer's health check", Hint{
			Cause:    "the application does not respond to /health with 200 in time: it is still starting, or failing",
			Solution: "check its logs; the targets' reasons have the balancer's response",
			Command:  "logs"}},
	{StopHealthCheck, regexp.MustCompile(`(?i)failed container health checks|health checks? failed`), false,
		"the task failed its container's health check", Hint{
			Cause:    "the health check's command in the container fails",
			Solution: "check its logs, and whether the image has what the command needs",
			Command:  "logs"}},
	{StopCommand, regexp.MustCompile(`(?i)CannotStartContainer|CannotCreateContainer|executable file not found|exec format error|no such file or directory`), true,
		"the container's command cannot be started", Hint{
			Cause:    "the image has no such command, or is for another CPU architecture",
			Solution: "correct the service's command in the environment's file, or the image"}},
	{StopInfrastructure, regexp.MustCompile(`(?i)spot task was interrupted|maintenance|underlying infrastructure|host EC2|ContainerRuntime|InternalError`), false,
		"AWS took the task's machine out of service", Hint{
			Cause:    "maintenance or a failure of the machine",
			Solution: "nothing to do: ECS starts another task"}},
	{StopExpected, regexp.MustCompile(`(?i)scaling activity initiated|task stopped by user|stopped by`), false,
		"stopped on purpose", Hint{}},
}

// exitMeanings maps the exit codes of containers to their usual meanings.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
var exitMeanings = map[int]struct {
	meaning string
	hint    Hint
}{
	1: {"application error", Hint{
		Cause: "the application exited with an error", Solution: "check its last log lines", Command: "logs"}},
	// docs/configuration.md describes when entrypoint exits with 75 and 78.
	75: {"the secrets could not be fetched", Hint{
		Cause: "Secrets Manager did not respond, or throttled, for as long as entrypoint waits", Solution: "check its last log lines, and the route from the private subnets to the internet", Command: "logs"}},
	78: {"the configuration is not complete", Hint{
		Cause: "a variable is missing, or entrypoint cannot read or parse a secret", Solution: "check its last log lines, which name it", Command: "logs"}},
	125: {"the container could not be run", Hint{
		Cause: "the container runtime refused it", Solution: "check the task definition"}},
	126: {"the command is not executable", Hint{
		Cause: "the file has no execute permission, or is for another CPU architecture", Solution: "correct the image"}},
	127: {"the command was not found", Hint{
		Cause: "the image has no such command", Solution: "correct the service's command in the environment's file, or the image"}},
	134: {"aborted", Hint{
		Cause: "the application aborted, often because its heap is too small", Solution: "check its last log lines", Command: "logs"}},
	137: {"killed", Hint{
		Cause: "out of memory, or it did not exit in time after SIGTERM", Solution: "check its memory usage, and that it exits on SIGTERM"}},
	139: {"segmentation fault", Hint{Cause: "a native module crashed", Solution: "check what changed in the image"}},
	143: {"terminated by SIGTERM", Hint{
		Cause: "ECS asked it to stop", Solution: "nothing to do if a deployment was in progress"}},
}

// StopCause returns why a task stopped, from what DescribeTasks returns about it.
func StopCause(task ecstypes.Task) Stop {
	stop := Stop{Kind: StopOther, Reason: aws.ToString(task.StoppedReason)}
	texts := []string{stop.Reason}
	for _, c := range task.Containers {
		if reason := aws.ToString(c.Reason); reason != "" {
			texts = append(texts, reason)
		}
	}
	if stop.Reason == "" || strings.HasPrefix(stop.Reason, "Essential container") {
		stop.Reason = strings.Join(texts[len(texts)-1:], "")
	}
	if failed := failedContainer(task.Containers); failed != nil {
		stop.Container = aws.ToString(failed.Name)
		stop.ExitCode = aws.Int(int(*failed.ExitCode))
	}
	if task.StopCode == ecstypes.TaskStopCodeUserInitiated {
		stop.Kind, stop.Message = StopExpected, "stopped on purpose"
		return stop
	}
	for _, rule := range stopRules {
		if match := rule.pattern.FindStringSubmatch(strings.Join(texts, "\n")); match != nil {
			return rule.apply(stop, match)
		}
	}
	switch {
	case stop.ExitCode != nil && *stop.ExitCode == 0:
		stop.Kind, stop.Message = StopCompleted, "the container exited with code 0"
		stop.Hint = Hint{
			Cause: "its command has finished", Solution: "a service's command must keep running: correct it in the environment's file"}
	case stop.ExitCode != nil:
		stop.Kind = StopExitCode
		stop.Message, stop.Hint = exitMeaning(*stop.ExitCode)
	default:
		stop.Message = cmp.Or(stop.Reason, "ECS gives no reason")
		stop.Hint = Hint{Cause: "ECS gives no further details", Solution: "check the task and its logs", Command: "logs"}
	}
	return stop
}

// PlacementCause returns why ECS cannot place a task, from an event of the service, and whether the event is about that.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
func PlacementCause(event string) (Stop, bool) {
	if !strings.Contains(event, "unable to place a task") {
		return Stop{}, false
	}
	for _, rule := range stopRules {
		if match := rule.pattern.FindStringSubmatch(event); match != nil {
			return rule.apply(Stop{Reason: event}, match), true
		}
	}
	return Stop{Kind: StopOther, Reason: event, Message: "ECS cannot place a task", Hint: Hint{
		Cause: "ECS's event has the reason", Solution: "correct that, then deploy again",
	}}, true
}

func (r stopRule) apply(stop Stop, match []string) Stop {
	stop.Kind, stop.Permanent, stop.Message, stop.Hint = r.kind, r.permanent, r.message, r.hint
	if len(match) > 1 {
		stop.Key = strings.Trim(match[1], ".")
		stop.Message = fmt.Sprintf(r.message, stop.Key)
		stop.Hint.Command = "secrets set"
	}
	return stop
}

func exitMeaning(code int) (message string, hint Hint) {
	known, ok := exitMeanings[code]
	if !ok {
		known = exitMeanings[1]
	}
	return fmt.Sprintf("exit code %d (%s)", code, known.meaning), known.hint
}

// failedContainer returns the first container that failed, or else the first that exited.
func failedContainer(containers []ecstypes.Container) *ecstypes.Container {
	failed := list.Find(containers, func(c ecstypes.Container) bool { return aws.ToInt32(c.ExitCode) != 0 })
	if failed == nil {
		return list.Find(containers, func(c ecstypes.Container) bool { return c.ExitCode != nil })
	}
	return failed
}
