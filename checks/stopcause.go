package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// StopKind classifies why a task stopped.
type StopKind string

// The kinds of causes.
const (
	// StopExpected is an intended stop: a new deployment, scaling in, a user's request.
	StopExpected  StopKind = "Expected"
	StopImagePull StopKind = "ImagePull"
	// StopPlatform is an image that is built for another CPU architecture or operating system.
	StopPlatform StopKind = "Platform"
	// StopDisk is ephemeral storage that is full.
	StopDisk StopKind = "Disk"
	// StopMissingSecret is a missing secret, or a missing key in it, that the task refers to.
	StopMissingSecret StopKind = "MissingSecret"
	// StopInvalidSecret is a secret that ECS cannot parse.
	StopInvalidSecret StopKind = "InvalidSecret"
	StopAccessDenied  StopKind = "AccessDenied"
	// StopRole is a role that ECS cannot assume.
	StopRole StopKind = "Role"
	// StopThrottled is AWS throttling what starts a task.
	StopThrottled StopKind = "Throttled"
	// StopNoRoute is a subnet from which AWS's services are unreachable.
	StopNoRoute StopKind = "NoRoute"
	// StopCertificate is a registry, or an endpoint of AWS, whose certificate is not trusted.
	StopCertificate StopKind = "Certificate"
	StopLogGroup    StopKind = "LogGroup"
	StopOutOfMemory StopKind = "OutOfMemory"
	StopCapacity    StopKind = "Capacity"
	// StopQuota is a quota of the account that is exhausted.
	StopQuota     StopKind = "Quota"
	StopNoAddress StopKind = "NoAddress"
	// StopNetwork is a network interface that could not be created, or was not ready in time.
	StopNetwork StopKind = "Network"
	// StopHealthCheck is a task that ECS replaced because it was not healthy.
	StopHealthCheck StopKind = "HealthCheck"
	// StopTargets is a task that ECS cannot register at the load balancer.
	StopTargets StopKind = "Targets"
	// StopCommand is a container whose command could not be started.
	StopCommand StopKind = "Command"
	// StopInfrastructure is a machine that AWS took out of service.
	StopInfrastructure StopKind = "Infrastructure"
	// StopInterrupted is Spot capacity that AWS took back.
	StopInterrupted StopKind = "Interrupted"
	// StopInitialization is something that ECS could not prepare for the task, without a known cause.
	StopInitialization StopKind = "Initialization"
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
	// AnyImage reports that another image would fail in the same way.
	AnyImage bool
	Hint     Hint
}

// Failed reports whether the task should not have stopped.
func (s Stop) Failed() bool { return s.Kind != StopExpected }

// Ended reports whether all containers of a task have stopped; its network interface may still exist.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-lifecycle-explanation.html
func Ended(task ecstypes.Task) bool {
	status := aws.ToString(task.LastStatus)
	return status == "STOPPED" || status == "DEPROVISIONING"
}

// exitUnfetched stands for entrypoint's exit code where it could not fetch the secrets, whatever the image.
const exitUnfetched = 75

// exitMeanings maps the exit codes of containers to their usual meanings.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
var exitMeanings = map[int]struct {
	meaning string
	hint    Hint
}{
	1: {"application error", Hint{
		Cause: "the application exited with an error", Solution: "check its last log lines", Command: "logs"}},
	// docs/configuration.md describes when entrypoint exits with 75 and 78.
	exitUnfetched: {"the secrets could not be fetched", Hint{
		Cause: "Secrets Manager did not respond, or throttled, for as long as entrypoint waits", Solution: "check its last log lines, and the route from the private subnets to the internet", Command: "logs"}},
	78: {"the configuration is not complete", Hint{
		Cause: "a variable is missing, or entrypoint cannot read or parse a secret", Solution: "check its last log lines, which name it", Command: "logs"}},
	125: {"the container could not be run", Hint{
		Cause: "the container runtime refused it", Solution: "check the task definition"}},
	126: {"the command is not executable", Hint{
		Cause: "the file has no execute permission, or is for another CPU architecture", Solution: "correct the image"}},
	127: {"the command was not found", Hint{
		Cause: "the image has no such command", Solution: "correct the service's command in the environment's file, or the image"}},
	132: {"illegal instruction", Hint{
		Cause:    "a program of the image needs instructions that the machine's CPU lacks, as Bun does on a CPU without AVX2",
		Solution: "use the baseline build of Bun (bun-linux-x64-baseline) in the image, or build native modules for a generic CPU"}},
	134: {"aborted", Hint{
		Cause: "the application aborted, often because its heap is too small", Solution: "check its last log lines", Command: "logs"}},
	135: {"bus error", Hint{
		Cause:    "a native module crashed, or a file that was mapped into memory was truncated or did not fit into shared memory",
		Solution: "check what changed in the image, and whether the application uses /dev/shm"}},
	137: {"killed", Hint{
		Cause: "out of memory, or it did not exit in time after SIGTERM", Solution: "check its memory usage, and that it exits on SIGTERM"}},
	139: {"segmentation fault", Hint{Cause: "a native module crashed", Solution: "check what changed in the image"}},
	143: {"terminated by SIGTERM", Hint{
		Cause: "ECS asked it to stop", Solution: "nothing to do if a deployment was in progress"}},
	255: {"the container's command failed", Hint{
		Cause:    "the application exited with -1, or the image's entrypoint could not run it",
		Solution: "check its last log lines; without any, check that the image is built for the platform of the tasks",
		Command:  "logs"}},
}

// StopCause returns why a task stopped, from what DescribeTasks returns about it. The container that ended the task decides, whatever the order
// in the answer: where ECS stops the other containers, their exit codes and reasons are consequences.
func StopCause(task ecstypes.Task) Stop {
	stop := Stop{Kind: StopOther, Reason: aws.ToString(task.StoppedReason)}
	texts := []string{stop.Reason}
	ended := endedContainer(task.Containers)
	for _, c := range task.Containers {
		if reason := aws.ToString(c.Reason); reason != "" && (ended == nil || aws.ToString(c.Name) == aws.ToString(ended.Name)) {
			texts = append(texts, reason)
		}
	}
	if stop.Reason == "" || strings.HasPrefix(stop.Reason, "Essential container") {
		stop.Reason = texts[len(texts)-1]
	}
	if ended != nil {
		stop.Container = aws.ToString(ended.Name)
		stop.ExitCode = aws.Int(int(*ended.ExitCode))
	}
	if task.StopCode == ecstypes.TaskStopCodeUserInitiated {
		stop.Kind, stop.Message = StopExpected, "stopped on purpose"
		return stop
	}
	if rule, found := matchStop(append(texts, codeTexts[task.StopCode])); found {
		return rule.apply(stop, texts)
	}
	switch {
	case stop.ExitCode != nil && *stop.ExitCode == 0:
		stop.Kind, stop.Message = StopCompleted, "the container exited with code 0"
		stop.Hint = Hint{
			Cause: "its command has finished", Solution: "a service's command must keep running: correct it in the environment's file"}
	case stop.ExitCode != nil:
		stop.Kind, stop.AnyImage = StopExitCode, *stop.ExitCode == exitUnfetched
		stop.Message, stop.Hint = exitMeaning(*stop.ExitCode)
	default:
		stop.Message = cmp.Or(stop.Reason, "ECS gives no reason")
		stop.Hint = Hint{Cause: "ECS gives no further details", Solution: "check the task and its logs", Command: "logs"}
	}
	return stop
}

// codeTexts maps the stop codes that are a cause by themselves, to a text that a rule recognises.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
var codeTexts = map[ecstypes.TaskStopCode]string{
	ecstypes.TaskStopCodeSpotInterruption:  "SpotInterruption",
	ecstypes.TaskStopCodeTerminationNotice: "maintenance",
}

// launchFailures lists what ECS's events contain where it cannot start a task, or cannot make it part of the service. That it "is unable to
// consistently start tasks successfully" has its cause in other events, or in the tasks that stopped.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
var launchFailures = []string{
	"unable to place a task", "unable to place tasks", "failed to launch a task", "unable to assume the", "operations are being throttled",
	"failed to register targets", "unable to register targets",
}

// LaunchFailure returns why ECS cannot start tasks of a service, by its events from since on; false where none reports it, or where ECS has
// started tasks after the last that does. An event that names a cause is preferred to later ones that name none.
func LaunchFailure(events []ecstypes.ServiceEvent, since time.Time) (Stop, bool) {
	var newest *Stop
	for _, event := range newestFirst(events) {
		message := aws.ToString(event.Message)
		if aws.ToTime(event.CreatedAt).Before(since) || startedTasks.MatchString(message) {
			break
		}
		if !slices.ContainsFunc(launchFailures, func(text string) bool { return strings.Contains(message, text) }) {
			continue
		}
		cause := launchCause(message)
		if cause.Kind != StopOther {
			return cause, true
		}
		if newest == nil {
			newest = &cause
		}
	}
	if newest == nil {
		return Stop{}, false
	}
	return *newest, true
}

// newestFirst returns the events sorted by time; those of the same time stay as ECS lists them, the newest first.
func newestFirst(events []ecstypes.ServiceEvent) []ecstypes.ServiceEvent {
	return slices.SortedStableFunc(slices.Values(events), func(a, b ecstypes.ServiceEvent) int {
		return aws.ToTime(b.CreatedAt).Compare(aws.ToTime(a.CreatedAt))
	})
}

// startedTasks matches the event of a service that has started tasks.
var startedTasks = lazyregexp.New(`has started \d+ tasks`)

// launchCause returns the cause that an event names.
func launchCause(event string) Stop {
	if rule, found := matchStop([]string{event}); found {
		return rule.apply(Stop{Reason: event}, []string{event})
	}
	return Stop{Kind: StopOther, Reason: event, Message: "ECS cannot place a task", Hint: Hint{
		Cause: "ECS's event has the reason", Solution: "correct that, then deploy again",
	}}
}

const (
	// exitOfSignal is what is added to the number of the signal that ended a process.
	exitOfSignal = 128
	// maxSignal is the highest number of a signal on Linux.
	maxSignal = 64
)

func exitMeaning(code int) (message string, hint Hint) {
	known, ok := exitMeanings[code]
	if !ok {
		known = exitMeanings[1]
		if signal := code - exitOfSignal; signal > 0 && signal <= maxSignal {
			known.meaning, known.hint.Cause = fmt.Sprintf("ended by signal %d", signal), "the application crashed, or was sent the signal"
		}
	}
	return fmt.Sprintf("exit code %d (%s)", code, known.meaning), known.hint
}

// endedContainer returns the container that ended the task: the application's, which is the only essential one in the task definitions of the
// program. In other tasks it is the first that failed by itself, before those that exited with 0 or were stopped by a signal.
func endedContainer(containers []ecstypes.Container) *ecstypes.Container {
	exited := list.Filter(containers, func(c ecstypes.Container) bool { return c.ExitCode != nil })
	for _, ended := range []func(ecstypes.Container) bool{
		func(c ecstypes.Container) bool { return environment.IsApplicationContainer(aws.ToString(c.Name)) },
		func(c ecstypes.Container) bool { return !slices.Contains([]int32{0, 137, 143}, *c.ExitCode) },
		func(c ecstypes.Container) bool { return *c.ExitCode != 0 },
		func(ecstypes.Container) bool { return true },
	} {
		if found := list.Find(exited, ended); found != nil {
			return found
		}
	}
	return nil
}
