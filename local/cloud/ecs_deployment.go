package cloud

import (
	"fmt"
	"slices"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// pendingFor is how long a service deployment waits before it begins.
const pendingFor = 2 * time.Second

// deploy starts a service deployment to a task definition. One that is still under way is replaced by it.
func (m moment) deploy(s *service, definition string) {
	if before := s.latest(); before != nil && before.moving() {
		m.finish(before, ecs.ServiceDeploymentStatusStopped, "Service deployment stopped because it was replaced by a newer one.")
	}
	path := "/" + last(s.Cluster) + "/" + s.Name + "/"
	next := &revision{
		ARN:        m.arn("ecs", "service-revision"+path+m.number("revision", s.ARN, m.now, len(s.Revisions))),
		Rollout:    "ecs-svc/" + m.number("rollout", s.ARN, m.now, len(s.Revisions)),
		Definition: definition, Created: m.now, Updated: m.now, Faults: m.faults.ofTasks(),
		State: ecs.DeploymentRolloutStateInProgress,
	}
	next.Reason = fmt.Sprintf("ECS deployment %s in progress.", next.Rollout)
	started := &deployment{
		ARN:    m.arn("ecs", "service-deployment"+path+m.derive("deployment", s.ARN, m.now, len(s.Deployments))[:21]),
		Target: next.ARN, Sources: m.runningRevisions(s), Status: ecs.ServiceDeploymentStatusInProgress,
		Created: m.now, Started: m.in(pendingFor), Updated: m.now,
	}
	s.Revisions, s.Deployments = append(s.Revisions, next), append(s.Deployments, started)
	s.Primary, s.Resume = next.ARN, time.Time{}
}

// runningRevisions are the revisions of which tasks run.
func (m moment) runningRevisions(s *service) []string {
	var arns []string
	for _, t := range m.ECS.tasksOf(s) {
		if m.active(t) && !slices.Contains(arns, t.Revision) {
			arns = append(arns, t.Revision)
		}
	}
	return arns
}

// countFailures sees which tasks of the wanted revision ended by themselves or are to be replaced because their targets
// are unhealthy. After a failure ECS takes longer and longer until it tries again.
func (m moment) countFailures(s *service, r *Resource) {
	wanted := s.revision(s.Primary)
	if wanted == nil {
		return
	}
	for _, t := range m.ECS.tasksOf(s) {
		if t.Revision != wanted.ARN || t.Counted {
			continue
		}
		sick := m.active(t) && m.reached(t.GivenUp)
		ended := t.byItself() && m.reached(t.Leaving)
		if !sick && !ended {
			continue
		}
		if sick {
			m.replaceUnhealthy(s, r, t)
		}
		t.Counted = true
		wanted.Failed++
		wanted.Updated = m.now
		s.Resume = m.in(min(10*time.Second<<min(wanted.Failed-1, 7), 15*time.Minute))
	}
}

// replaceUnhealthy stops a task whose targets fail their health checks.
func (m moment) replaceUnhealthy(s *service, r *Resource, t *task) {
	group := ""
	if found := m.targetGroup(r); found != nil {
		group = found.Text("arn")
	}
	m.tell(s, "(port %d) is unhealthy in (target-group %s) due to (reason Health checks failed with these codes: [503]).",
		m.portOf(r), group)
	m.stop(t, m.drain(r), ecs.TaskStopCodeServiceSchedulerInitiated,
		fmt.Sprintf("Task failed ELB health checks in (target-group %s)", group))
	m.tell(s, "has stopped 1 running tasks: (task %s).", t.ID())
}

func (m moment) portOf(r *Resource) int {
	for _, block := range r.Blocks("loadBalancers") {
		if port, ok := block["containerPort"].(float64); ok {
			return int(port)
		}
	}
	return 0
}

// threshold is how many failed tasks the circuit breaker allows: half of the desired ones, within 3 and 200.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
func threshold(desired int) int { return min(max((desired+1)/2, 3), 200) }

func breaker(r *Resource) (enabled, rollback bool) {
	for _, block := range r.Blocks("deploymentCircuitBreaker") {
		enabled, _ = block["enable"].(bool)
		rollback, _ = block["rollback"].(bool)
	}
	return enabled, rollback
}

// judgeDeployment lets the circuit breaker end a deployment of which too many tasks failed.
func (m moment) judgeDeployment(s *service, r *Resource) {
	d, wanted := s.latest(), s.revision(s.Primary)
	if d == nil || !d.moving() || wanted.Failed < threshold(m.desired(r)) {
		return
	}
	enabled, rollback := breaker(r)
	switch {
	case !enabled:
	case d.Status == ecs.ServiceDeploymentStatusRollbackInProgress:
		m.fail(s, wanted)
		m.finish(d, ecs.ServiceDeploymentStatusRollbackFailed, "Service deployment rollback failed: tasks failed to start.")
	case rollback:
		d.Tripped = true
		m.fail(s, wanted)
		m.rollBack(s, r, d, "the circuit breaker threshold was exceeded.")
	default:
		d.Tripped = true
		m.fail(s, wanted)
		m.finish(d, ecs.ServiceDeploymentStatusStopped, "Service deployment failed because the circuit breaker threshold was exceeded.")
	}
}

// fail marks a revision that is not tried any further.
func (m moment) fail(s *service, r *revision) {
	r.State, r.Updated = ecs.DeploymentRolloutStateFailed, m.now
	r.Reason = "ECS deployment circuit breaker: tasks failed to start."
	m.tell(s, "(deployment %s) deployment failed: tasks failed to start.", r.Rollout)
}

// rollBack returns to the last revision that ran well. The service's resource says so too: what ECS rolled back is a
// difference between the account and the stack.
func (m moment) rollBack(s *service, r *Resource, d *deployment, why string) {
	good := s.revision(s.Good)
	if good == nil {
		m.finish(d, ecs.ServiceDeploymentStatusRollbackFailed, "Service deployment failed because "+why+
			" No rollback candidate was found to run the rollback.")
		return
	}
	d.Status, d.Updated = ecs.ServiceDeploymentStatusRollbackInProgress, m.now
	d.Reason = "Service deployment rolled back because " + why
	d.Back, d.BackSince, d.BackReason = good.ARN, m.now, d.Reason
	good.State, good.Updated, good.Failed = ecs.DeploymentRolloutStateInProgress, m.now, 0
	good.Reason = fmt.Sprintf("ECS deployment circuit breaker: rolling back to deployment %s.", good.Rollout)
	m.tell(s, "rolling back to deployment %s.", good.Rollout)
	s.Primary, s.Definition, s.Resume = good.ARN, good.Definition, time.Time{}
	r.change("taskDefinition", good.Definition)
}

// completeDeployment ends a deployment when all the tasks that it wants are healthy and none of the others is left but
// those that drain.
func (m moment) completeDeployment(s *service, r *Resource) {
	d, wanted := s.latest(), s.revision(s.Primary)
	if d == nil || !d.moving() || wanted.State == ecs.DeploymentRolloutStateFailed || !m.reached(d.Started) {
		return
	}
	healthy := 0
	for _, t := range m.ECS.tasksOf(s) {
		switch {
		case !m.active(t):
		case t.Revision != wanted.ARN:
			return
		case m.healthy(t):
			healthy++
		}
	}
	if healthy < m.desired(r) {
		return
	}
	status := ecs.ServiceDeploymentStatusSuccessful
	if d.Status == ecs.ServiceDeploymentStatusRollbackInProgress {
		status = ecs.ServiceDeploymentStatusRollbackSuccessful
	}
	m.finish(d, status, d.Reason)
	wanted.State, wanted.Updated = ecs.DeploymentRolloutStateCompleted, m.now
	wanted.Reason = fmt.Sprintf("ECS deployment %s completed.", wanted.Rollout)
	s.Good = wanted.ARN
	m.prove(s, wanted)
	m.tell(s, "(deployment %s) deployment completed.", wanted.Rollout)
	m.tell(s, "has reached a steady state.")
}

// prove remembers that the revision's image runs well in the service, and that no other one did after it.
func (m moment) prove(s *service, r *revision) {
	d, found := m.definition(r.Definition)
	if !found || m.desiredOf(s) == 0 {
		return
	}
	if digest, found := m.digestOf(deref(d.main().Image)); found {
		s.Proven = digest
	}
}

func (m moment) desiredOf(s *service) int {
	if r := m.serviceResource(s.ARN); r != nil {
		return m.desired(r)
	}
	return 0
}

func (m moment) finish(d *deployment, status ecs.ServiceDeploymentStatus, reason string) {
	d.Status, d.Reason, d.Updated, d.Finished = status, reason, m.now, m.now
}
