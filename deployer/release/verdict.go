package release

import (
	"fmt"
	"slices"

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
	// tasks are all of the service's, those that stopped lately too; targets those behind the load balancer.
	tasks   []types.Task
	targets []elbtypes.TargetHealthDescription
}

// rolloutState is where a service is on its way.
type rolloutState int

const (
	stillRolling rolloutState = iota
	rolledOut
	rolloutFailed
)

type verdict struct {
	state   rolloutState
	message string
}

// judge decides whether a service runs the image, will, or will not. Stable is not deployed: ECS's own rollback ends
// stable too, so the service deployment must have succeeded and every running task must have the digest. Until settled,
// AWS's answers may lag behind what was done.
func judge(o observation, digests []string, settled bool) verdict {
	rolling := func(format string, args ...any) verdict {
		return verdict{stillRolling, o.name + " " + fmt.Sprintf(format, args...)}
	}
	failed := func(format string, args ...any) verdict {
		return verdict{rolloutFailed, o.name + " " + fmt.Sprintf(format, args...)}
	}
	switch {
	case o.service == nil && settled:
		return failed("does not exist")
	case o.service == nil:
		return rolling("is not to be seen yet")
	}
	if d := o.deployment; d != nil {
		switch d.Status {
		case types.ServiceDeploymentStatusSuccessful:
		case types.ServiceDeploymentStatusPending, types.ServiceDeploymentStatusInProgress:
			if n := hopeless(o); n > 0 {
				return failed("cannot start: %d tasks stopped for a reason that waiting does not heal", n)
			}
			return rolling("%s", o.counts(digests))
		default:
			return failed("was not rolled out: ECS says %s%s", d.Status, reasonOf(d))
		}
	} else if o.beginning() {
		return rolling("begins its rollout")
	}
	running := o.running()
	current, old := 0, 0
	for _, t := range running {
		switch c := o.main(t); {
		case c == nil || !slices.Contains(digests, aws.ToString(c.ImageDigest)):
			old++
		case c.HealthStatus == types.HealthStatusUnhealthy:
			return rolling("has an unhealthy container in task %s", shortID(aws.ToString(t.TaskArn)))
		default:
			current++
		}
	}
	switch {
	case old > 0 && o.deployment == nil && settled:
		return failed("runs %d tasks of another image, though nothing was rolled out", old)
	case old > 0:
		return rolling("still runs %d tasks of another image", old)
	case current < int(o.service.DesiredCount):
		return rolling("runs %d of %d tasks", current, o.service.DesiredCount)
	case len(o.service.LoadBalancers) > 0 && o.healthyTargets() < current:
		return rolling("has %d of %d targets healthy", o.healthyTargets(), current)
	}
	return verdict{state: rolledOut}
}

// beginning reports whether ECS is rolling out, though the service deployment does not show yet.
func (o observation) beginning() bool {
	return slices.ContainsFunc(o.service.Deployments, func(d types.Deployment) bool {
		return d.RolloutState == types.DeploymentRolloutStateInProgress
	})
}

// stranded reports whether the service's last rollout failed and nothing goes on: fewer tasks than wanted, and none to
// come.
func (o observation) stranded() bool {
	return o.service != nil && o.deployment == nil && !o.beginning() && o.service.PendingCount == 0 && o.service.RunningCount < o.service.DesiredCount &&
		slices.ContainsFunc(o.service.Deployments, func(d types.Deployment) bool {
			return d.RolloutState == types.DeploymentRolloutStateFailed
		})
}

// hopelessAfter is how many tasks must stop for a cause that cannot heal before a rollout is given up.
const hopelessAfter = 2

// sameExits is how many tasks must end with the same exit code.
const sameExits = 3

// hopeless counts the tasks that stopped for a cause that waiting does not heal, or with the same exit code again and
// again, where there are enough of them.
func hopeless(o observation) int {
	permanent, exits := 0, map[int]int{}
	for _, f := range o.failures() {
		switch {
		case f.cause.Permanent:
			permanent++
		case f.cause.Kind == checks.StopExitCode && f.cause.ExitCode != nil:
			exits[*f.cause.ExitCode]++
		}
	}
	if permanent >= hopelessAfter {
		return permanent
	}
	for _, n := range exits {
		if n >= sameExits {
			return n
		}
	}
	return 0
}

func reasonOf(d *types.ServiceDeployment) string {
	if reason := aws.ToString(d.StatusReason); reason != "" {
		return ": " + reason
	}
	return ""
}

// lastWord is the newest event of a service: what ECS did last, or could not do.
func (o observation) lastWord() string {
	if len(o.service.Events) == 0 {
		return ""
	}
	newest := slices.MaxFunc(o.service.Events, func(a, b types.ServiceEvent) int {
		return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt))
	})
	return aws.ToString(newest.Message)
}

// counts says how far a rollout is.
func (o observation) counts(digests []string) string {
	current := 0
	for _, t := range o.running() {
		if c := o.main(t); c != nil && slices.Contains(digests, aws.ToString(c.ImageDigest)) {
			current++
		}
	}
	text := fmt.Sprintf("runs %d of %d new tasks", current, o.service.DesiredCount)
	if len(o.service.LoadBalancers) > 0 {
		text += fmt.Sprintf(", %d targets healthy", o.healthyTargets())
	}
	if n := len(o.failures()); n > 0 {
		text += fmt.Sprintf(", %d stopped", n)
	}
	return text
}

// running are the tasks that are meant to go on; those that drain are not.
func (o observation) running() []types.Task {
	return slices.DeleteFunc(slices.Clone(o.tasks), func(t types.Task) bool {
		return aws.ToString(t.LastStatus) != "RUNNING" || aws.ToString(t.DesiredStatus) != "RUNNING"
	})
}

// main is the application's container.
func (o observation) main(t types.Task) *types.Container {
	i := slices.IndexFunc(t.Containers, func(c types.Container) bool { return aws.ToString(c.Name) == o.container })
	if i < 0 {
		return nil
	}
	return &t.Containers[i]
}

func (o observation) healthyTargets() int {
	n := 0
	for _, t := range o.targets {
		if t.TargetHealth != nil && t.TargetHealth.State == elbtypes.TargetHealthStateEnumHealthy {
			n++
		}
	}
	return n
}

// failure is a task of this deployment that stopped although nobody asked it to.
type failure struct {
	task  types.Task
	cause checks.Stop
}

// failures are the tasks of this run's deployment that stopped by themselves, the oldest first.
func (o observation) failures() []failure {
	if o.deployment == nil {
		return nil
	}
	var found []failure
	for _, t := range o.tasks {
		if aws.ToString(t.LastStatus) != "STOPPED" || aws.ToTime(t.CreatedAt).Before(aws.ToTime(o.deployment.CreatedAt)) {
			continue
		}
		if cause := checks.StopCause(t); cause.Failed() {
			found = append(found, failure{task: t, cause: cause})
		}
	}
	slices.SortFunc(found, func(a, b failure) int { return aws.ToTime(a.task.CreatedAt).Compare(aws.ToTime(b.task.CreatedAt)) })
	return found
}
