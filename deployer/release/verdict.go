package release

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// observation is what one poll found of one service.
type observation struct {
	name      string
	role      environment.Role
	container string
	// service is nil where ECS does not list it.
	service *types.Service
	// deployment is the service deployment that this run started; nil where nothing had to be rolled out.
	deployment *types.ServiceDeployment
	// supersededBy is the service deployment that another process started after it; "" where there is none.
	supersededBy string
	// startedBy is what ECS reports this run's tasks to be started by, where it is known.
	startedBy string
	// verified reports that tasks has every running task and targets every target. Until the service deployments have
	// finished, tasks has only stopped tasks.
	verified bool
	tasks    []types.Task
	targets  []elbtypes.TargetHealthDescription
}

// rolloutState is the state of the rollout of one service.
type rolloutState int

const (
	rollingOut rolloutState = iota
	rolledOut
	rolloutFailed
)

type verdict struct {
	state   rolloutState
	message string
}

func (o observation) rolling(format string, args ...any) verdict {
	return verdict{rollingOut, string(o.role) + " " + fmt.Sprintf(format, args...)}
}

func (o observation) failure(format string, args ...any) verdict {
	return verdict{rolloutFailed, o.name + " " + fmt.Sprintf(format, args...)}
}

// evaluate decides whether a service runs the image, will, or will not. Stable is not deployed: ECS's own rollback ends
// stable too, so the service deployment must have succeeded and every running task must have the digest. Until the answers of AWS
// are consistent, they may lag behind what was done.
func evaluate(o observation, digests []string, consistent bool) verdict {
	switch {
	case o.service == nil && consistent:
		return o.failure("does not exist")
	case o.service == nil:
		return o.rolling("is not visible yet")
	case o.supersededBy != "":
		return o.failure("is being deployed by another process: the service deployment %s replaced this one", awsx.NameFromARN(o.supersededBy))
	}
	switch d := o.deployment; {
	case d == nil && o.rolloutInProgress():
		return o.rolling("is starting its rollout")
	case d == nil:
	case deploymentInProgress(d):
		if n := permanentFailures(o); n > 0 {
			return o.failure("cannot start: %d tasks stopped for a permanent reason", n)
		}
		return o.rolling("%s", o.progressText())
	case d.Status != types.ServiceDeploymentStatusSuccessful && len(o.triggeredAlarms()) > 0:
		return o.failure("was not rolled out: %s went into alarm, and ECS ended the rollout: %s", text.Join(o.triggeredAlarms(), "and"),
			strings.TrimSuffix(string(d.Status)+": "+aws.ToString(d.StatusReason), ": "))
	case d.Status != types.ServiceDeploymentStatusSuccessful:
		return o.failure("was not rolled out: %s", strings.TrimSuffix("ECS reports "+string(d.Status)+": "+aws.ToString(d.StatusReason), ": "))
	}
	if !o.verified {
		return o.rolling("done")
	}
	return o.evaluateTasks(digests, consistent)
}

// evaluateTasks decides by what the tasks run, once the service deployment has succeeded or was not needed.
func (o observation) evaluateTasks(digests []string, consistent bool) verdict {
	current, old := 0, 0
	for _, t := range o.runningTasks() {
		switch c := containerNamed(t, o.container); {
		case c == nil || !slices.Contains(digests, aws.ToString(c.ImageDigest)):
			old++
		case c.HealthStatus == types.HealthStatusUnhealthy:
			return o.rolling("has an unhealthy container in task %s", shortTaskID(&t))
		default:
			current++
		}
	}
	switch {
	case old > 0 && o.deployment == nil && consistent:
		return o.failure("runs %s of another image, though nothing was rolled out", text.Plural(old, "task", ""))
	case old > 0:
		return o.rolling("still runs %s of another image", text.Plural(old, "task", ""))
	case current < int(o.service.DesiredCount):
		return o.rolling("runs %d of %d tasks", current, o.service.DesiredCount)
	case len(o.service.LoadBalancers) > 0 && o.healthyTargets() < current:
		return o.rolling("has %d of %d targets healthy%s", o.healthyTargets(), current, o.unhealthyReason())
	}
	return verdict{state: rolledOut}
}

// deploymentInProgress reports whether a service deployment has neither finished nor begun to roll back.
func deploymentInProgress(d *types.ServiceDeployment) bool {
	return d.Status == types.ServiceDeploymentStatusPending || d.Status == types.ServiceDeploymentStatusInProgress
}

// triggeredAlarms returns the alarms for which ECS ended this run's deployment.
func (o observation) triggeredAlarms() []string {
	if o.deployment == nil || o.deployment.Alarms == nil {
		return nil
	}
	return o.deployment.Alarms.TriggeredAlarmNames
}

// watchesAlarms reports whether ECS still watches the alarms of this run's deployment, though its tasks have replaced the old ones.
func (o observation) watchesAlarms(current types.Deployment, old int32) bool {
	return old == 0 && current.RunningCount >= o.service.DesiredCount && o.deployment != nil && o.deployment.Alarms != nil &&
		o.deployment.Alarms.Status == types.ServiceDeploymentRollbackMonitorsStatusMonitoring
}

// finished reports whether ECS has finished the rollout of the service successfully, or had nothing to do.
func (o observation) finished() bool {
	if o.deployment != nil {
		return o.deployment.Status == types.ServiceDeploymentStatusSuccessful
	}
	return o.unchanged()
}

// failed reports whether this run's deployment has failed, or is being rolled back.
func (o observation) failed() bool {
	return o.deployment != nil && !deploymentInProgress(o.deployment) && o.deployment.Status != types.ServiceDeploymentStatusSuccessful
}

// unchanged reports whether nothing was, or is being, rolled out to the service.
func (o observation) unchanged() bool {
	return o.service != nil && o.deployment == nil && !o.rolloutInProgress()
}

// rolloutInProgress reports whether ECS is rolling out, even where the service deployment is not visible yet.
func (o observation) rolloutInProgress() bool {
	return o.hasRollout(types.DeploymentRolloutStateInProgress)
}

func (o observation) hasRollout(state types.DeploymentRolloutState) bool {
	return o.service != nil && slices.ContainsFunc(o.service.Deployments, func(d types.Deployment) bool { return d.RolloutState == state })
}

// stalled reports whether the service's last rollout failed and ECS starts no more tasks, though fewer run than desired.
func (o observation) stalled() bool {
	return o.unchanged() && o.service.PendingCount == 0 && o.service.RunningCount < o.service.DesiredCount &&
		o.hasRollout(types.DeploymentRolloutStateFailed)
}

const (
	// maxPermanentFailures is how many tasks must stop for a permanent cause before a rollout is given up.
	maxPermanentFailures = 2
	// maxSameExitCodes is how many tasks must exit with the same code.
	maxSameExitCodes = 3
)

// permanentFailures counts the tasks that stopped for a permanent cause, or repeatedly with the same exit code; 0 where they are
// too few to give up. A slow start is neither.
func permanentFailures(o observation) int {
	permanent, exits := 0, map[int]int{}
	for _, f := range o.failedTasks() {
		switch {
		case f.cause.Permanent:
			permanent++
		case f.cause.ExitCode != nil && slices.Contains([]checks.StopKind{checks.StopExitCode, checks.StopOutOfMemory, checks.StopCompleted}, f.cause.Kind):
			exits[*f.cause.ExitCode]++
		}
	}
	if permanent >= maxPermanentFailures {
		return permanent
	}
	for _, n := range exits {
		if n >= maxSameExitCodes {
			return n
		}
	}
	return 0
}

// currentDeployment returns this run's deployment as DescribeServices lists it.
func (o observation) currentDeployment() types.Deployment {
	own := list.Find(o.service.Deployments, func(d types.Deployment) bool { return o.startedBy != "" && aws.ToString(d.Id) == o.startedBy })
	if own == nil {
		return checks.PrimaryDeployment(*o.service)
	}
	return *own
}

// progressText returns how far a rollout is, and what it waits for.
func (o observation) progressText() string {
	current, old := o.currentDeployment(), int32(0)
	for _, d := range o.service.Deployments {
		if aws.ToString(d.Id) != aws.ToString(current.Id) {
			old += d.RunningCount
		}
	}
	progress := fmt.Sprintf("%d of %d new running", current.RunningCount, o.service.DesiredCount)
	for _, count := range []struct {
		n    int
		text string
	}{
		{int(current.PendingCount), "pending"}, {int(old), "old still serving"}, {o.countTargets(elbtypes.TargetHealthStateEnumDraining), "draining"},
		{len(o.failedTasks()), "stopped"},
	} {
		if count.n > 0 {
			progress += fmt.Sprintf(", %d %s", count.n, count.text)
		}
	}
	if current.RunningCount > 0 && len(o.service.LoadBalancers) > 0 {
		progress += fmt.Sprintf(", %d healthy%s", o.healthyTargets(), o.unhealthyReason())
	}
	if o.watchesAlarms(current, old) {
		progress += ", ECS watches the alarms"
	} else if len(o.service.LoadBalancers) == 0 && current.RunningCount > 0 && current.RunningCount >= o.service.DesiredCount && old == 0 {
		progress += ", not stable yet"
	}
	return progress
}

// unhealthyReason returns why the first unhealthy target is not healthy, as the load balancer reports it.
func (o observation) unhealthyReason() string {
	for _, t := range o.targets {
		h := t.TargetHealth
		if h == nil || h.State == elbtypes.TargetHealthStateEnumHealthy || h.State == elbtypes.TargetHealthStateEnumDraining {
			continue
		}
		return strings.TrimSuffix(fmt.Sprintf(" (%s: %s", h.State, cmp.Or(aws.ToString(h.Description), string(h.Reason))), ": ") + ")"
	}
	return ""
}

// fingerprint changes whenever ECS does something to the service.
func (o observation) fingerprint() string {
	fingerprint := fmt.Sprint(aws.ToString(o.service.CurrentServiceDeployment), o.service.DesiredCount)
	for _, d := range o.service.Deployments {
		fingerprint += fmt.Sprint(" ", aws.ToString(d.Id), d.RolloutState, d.RunningCount, d.PendingCount, d.FailedTasks)
	}
	return fingerprint
}

// runningTasks returns the running tasks that ECS has not asked to stop.
func (o observation) runningTasks() []types.Task {
	return list.Filter(o.tasks, func(t types.Task) bool {
		return aws.ToString(t.LastStatus) == "RUNNING" && aws.ToString(t.DesiredStatus) == "RUNNING"
	})
}

func (o observation) healthyTargets() int {
	return o.countTargets(elbtypes.TargetHealthStateEnumHealthy)
}

func (o observation) countTargets(state elbtypes.TargetHealthStateEnum) int {
	return len(list.Filter(o.targets, func(t elbtypes.TargetHealthDescription) bool {
		return t.TargetHealth != nil && t.TargetHealth.State == state
	}))
}
