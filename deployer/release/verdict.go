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
)

// observation is one look at one service.
type observation struct {
	name      string
	role      environment.Role
	container string
	// service is nil where it is not to be seen.
	service *types.Service
	// deployment is the service deployment that this run started; nil where nothing had to be rolled out.
	deployment *types.ServiceDeployment
	// supersededBy is the service deployment that somebody else started after it; "" where there is none.
	supersededBy string
	// startedBy is what this run's tasks are started by, as far as it is known.
	startedBy string
	// verified says that tasks has every running task and targets every target; before the service deployments have
	// ended tasks are only those that stopped, as far as they matter.
	verified bool
	tasks    []types.Task
	targets  []elbtypes.TargetHealthDescription
}

// rolloutState is where a service is on its way.
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

// evaluate decides whether a service runs the image, will, or will not. Stable is not deployed: ECS's own rollback ends
// stable too, so the service deployment must have succeeded and every running task must have the digest. Until settled,
// AWS's answers may lag behind what was done.
func evaluate(o observation, digests []string, consistent bool) verdict {
	rolling := func(format string, args ...any) verdict {
		return verdict{rollingOut, string(o.role) + " " + fmt.Sprintf(format, args...)}
	}
	failed := func(format string, args ...any) verdict {
		return verdict{rolloutFailed, o.name + " " + fmt.Sprintf(format, args...)}
	}
	switch {
	case o.service == nil && consistent:
		return failed("does not exist")
	case o.service == nil:
		return rolling("is not to be seen yet")
	case o.supersededBy != "":
		return failed("is being deployed by somebody else: the service deployment %s took the place of this one", shortID(o.supersededBy))
	}
	if d := o.deployment; d != nil {
		switch {
		case deploymentInProgress(d):
			if n := permanentFailures(o); n > 0 {
				return failed("cannot start: %d tasks stopped for a reason that waiting does not heal", n)
			}
			return rolling("%s", o.progressText())
		case d.Status != types.ServiceDeploymentStatusSuccessful:
			return failed("was not rolled out: ECS says %s%s", d.Status, reasonSuffix(d))
		}
	} else if o.rolloutInProgress() {
		return rolling("begins its rollout")
	}
	if !o.verified {
		return rolling("done")
	}
	return o.evaluateTasks(digests, consistent, rolling, failed)
}

// evaluateTasks is the truth behind a service deployment that has ended well, or was not needed: what the tasks run.
func (o observation) evaluateTasks(digests []string, consistent bool, rolling, failed func(string, ...any) verdict) verdict {
	current, old := 0, 0
	for _, t := range o.runningTasks() {
		switch c := o.mainContainer(t); {
		case c == nil || !slices.Contains(digests, aws.ToString(c.ImageDigest)):
			old++
		case c.HealthStatus == types.HealthStatusUnhealthy:
			return rolling("has an unhealthy container in task %s", shortID(aws.ToString(t.TaskArn)))
		default:
			current++
		}
	}
	switch {
	case old > 0 && o.deployment == nil && consistent:
		return failed("runs %s of another image, though nothing was rolled out", tasksText(old))
	case old > 0:
		return rolling("still runs %s of another image", tasksText(old))
	case current < int(o.service.DesiredCount):
		return rolling("runs %d of %d tasks", current, o.service.DesiredCount)
	case len(o.service.LoadBalancers) > 0 && o.healthyTargets() < current:
		return rolling("has %d of %d targets healthy%s", o.healthyTargets(), current, o.unhealthyTargets())
	}
	return verdict{state: rolledOut}
}

// deploymentInProgress reports whether a service deployment has neither ended nor turned back.
func deploymentInProgress(d *types.ServiceDeployment) bool {
	return d.Status == types.ServiceDeploymentStatusPending || d.Status == types.ServiceDeploymentStatusInProgress
}

// finished reports whether nothing more is to be waited for in ECS's own account of the service.
func (o observation) finished() bool {
	if o.service == nil {
		return false
	}
	return o.deployment == nil && !o.rolloutInProgress() || o.deployment != nil && o.deployment.Status == types.ServiceDeploymentStatusSuccessful
}

// failed reports whether this run's deployment has ended otherwise than well, or is being taken back.
func (o observation) failed() bool {
	return o.deployment != nil && !deploymentInProgress(o.deployment) && o.deployment.Status != types.ServiceDeploymentStatusSuccessful
}

// rolloutInProgress reports whether ECS is rolling out, though the service deployment does not show yet.
func (o observation) rolloutInProgress() bool {
	return slices.ContainsFunc(o.service.Deployments, func(d types.Deployment) bool {
		return d.RolloutState == types.DeploymentRolloutStateInProgress
	})
}

// stalled reports whether the service's last rollout failed and nothing goes on: fewer tasks than wanted, and none to
// come.
func (o observation) stalled() bool {
	return o.service != nil && o.deployment == nil && !o.rolloutInProgress() && o.service.PendingCount == 0 && o.service.RunningCount < o.service.DesiredCount &&
		slices.ContainsFunc(o.service.Deployments, func(d types.Deployment) bool {
			return d.RolloutState == types.DeploymentRolloutStateFailed
		})
}

// maxPermanentFailures is how many tasks must stop for a cause that cannot heal before a rollout is given up.
const maxPermanentFailures = 2

// maxSameExitCodes is how many tasks must end with the same exit code.
const maxSameExitCodes = 3

// permanentFailures counts the tasks that stopped for a cause that waiting does not heal, or with the same exit code again and
// again, where there are enough of them. A start that takes long is neither.
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

func reasonSuffix(d *types.ServiceDeployment) string {
	if reason := aws.ToString(d.StatusReason); reason != "" {
		return ": " + reason
	}
	return ""
}

// currentDeployment are this run's tasks in the words of DescribeServices.
func (o observation) currentDeployment() types.Deployment {
	i := slices.IndexFunc(o.service.Deployments, func(d types.Deployment) bool { return o.startedBy != "" && aws.ToString(d.Id) == o.startedBy })
	if i < 0 {
		return primaryDeployment(*o.service)
	}
	return o.service.Deployments[i]
}

// progressText say how far a rollout is, and what it waits for.
func (o observation) progressText() string {
	current, old := o.currentDeployment(), int32(0)
	for _, d := range o.service.Deployments {
		if aws.ToString(d.Id) != aws.ToString(current.Id) {
			old += d.RunningCount
		}
	}
	text := fmt.Sprintf("%d/%d running", current.RunningCount, o.service.DesiredCount)
	for _, count := range []struct {
		n    int
		text string
	}{
		{int(current.PendingCount), "pending"}, {int(old), "old"}, {o.countTargets(elbtypes.TargetHealthStateEnumDraining), "draining"},
		{len(o.failedTasks()), "stopped"},
	} {
		if count.n > 0 {
			text += fmt.Sprintf(", %d %s", count.n, count.text)
		}
	}
	if current.RunningCount > 0 && len(o.service.LoadBalancers) > 0 {
		text += fmt.Sprintf(", %d healthy%s", o.healthyTargets(), o.unhealthyTargets())
	} else if current.RunningCount > 0 && current.RunningCount >= o.service.DesiredCount && old == 0 {
		text += ", not steady yet"
	}
	return text
}

// unhealthyTargets says why a target is not healthy, in the load balancer's words.
func (o observation) unhealthyTargets() string {
	for _, t := range o.targets {
		h := t.TargetHealth
		if h == nil || h.State == elbtypes.TargetHealthStateEnumHealthy || h.State == elbtypes.TargetHealthStateEnumDraining {
			continue
		}
		return strings.TrimSuffix(fmt.Sprintf(" (%s: %s", h.State, cmp.Or(aws.ToString(h.Description), string(h.Reason))), ": ") + ")"
	}
	return ""
}

// fingerprint is how the service looks from outside; it changes when something happens to it.
func (o observation) fingerprint() string {
	if o.service == nil {
		return ""
	}
	text := fmt.Sprint(aws.ToString(o.service.CurrentServiceDeployment), o.service.DesiredCount)
	for _, d := range o.service.Deployments {
		text += fmt.Sprint(" ", aws.ToString(d.Id), d.RolloutState, d.RunningCount, d.PendingCount, d.FailedTasks)
	}
	return text
}

// runningTasks are the tasks that are meant to go on; those that drain are not.
func (o observation) runningTasks() []types.Task {
	return slices.DeleteFunc(slices.Clone(o.tasks), func(t types.Task) bool {
		return aws.ToString(t.LastStatus) != "RUNNING" || aws.ToString(t.DesiredStatus) != "RUNNING"
	})
}

// mainContainer is the application's container.
func (o observation) mainContainer(t types.Task) *types.Container {
	i := slices.IndexFunc(t.Containers, func(c types.Container) bool { return aws.ToString(c.Name) == o.container })
	if i < 0 {
		return nil
	}
	return &t.Containers[i]
}

func (o observation) healthyTargets() int {
	return o.countTargets(elbtypes.TargetHealthStateEnumHealthy)
}

func (o observation) countTargets(state elbtypes.TargetHealthStateEnum) int {
	n := 0
	for _, t := range o.targets {
		if t.TargetHealth != nil && t.TargetHealth.State == state {
			n++
		}
	}
	return n
}

// tasksText is a number of tasks.
func tasksText(n int) string {
	if n == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", n)
}
