package cloud

import (
	"fmt"
	"slices"
	"time"

	ecs "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// pendingTime is how long a service deployment is pending before it starts.
const pendingTime = 2 * time.Second

// deploy starts a service deployment to a task definition. It replaces a deployment in progress.
func (m model) deploy(s *service, definition string) {
	if before := s.latestDeployment(); before != nil && before.inProgress() {
		m.finishDeployment(before, ecs.ServiceDeploymentStatusStopped, "Service deployment stopped because it was replaced by a newer one.")
	}
	path := "/" + awsx.NameFromARN(s.Cluster) + "/" + s.Name + "/"
	next := &revision{
		ARN:          m.arn("ecs", "service-revision"+path+m.number("revision", s.ARN, m.now, len(s.Revisions))),
		DeploymentID: "ecs-svc/" + m.number("rollout", s.ARN, m.now, len(s.Revisions)),
		Definition:   definition, Created: m.now, Updated: m.now, Faults: m.faults.forTasks(),
		State: ecs.DeploymentRolloutStateInProgress,
	}
	next.Reason = fmt.Sprintf("ECS deployment %s in progress.", next.DeploymentID)
	started := &deployment{
		ARN:    m.arn("ecs", "service-deployment"+path+m.derive("deployment", s.ARN, m.now, len(s.Deployments))[:21]),
		Target: next.ARN, Sources: m.runningRevisions(s), Status: ecs.ServiceDeploymentStatusInProgress,
		Created: m.now, Started: m.in(pendingTime), Updated: m.now,
	}
	if r := m.serviceResource(s.ARN); r != nil {
		started.Alarms = m.watchAlarms(r)
	}
	s.Revisions, s.Deployments = append(s.Revisions, next), append(s.Deployments, started)
	s.Primary, s.RetryAt = next.ARN, time.Time{}
}

// runningRevisions returns the revisions that have active tasks.
func (m model) runningRevisions(s *service) []string {
	var arns []string
	for _, t := range m.ECS.tasksOf(s) {
		if m.active(t) && !slices.Contains(arns, t.Revision) {
			arns = append(arns, t.Revision)
		}
	}
	return arns
}

// countFailures counts the tasks of the primary revision that stopped on their own, and replaces those whose targets
// are unhealthy. After each failure ECS waits longer before it starts another task.
func (m model) countFailures(s *service, r *Resource) {
	primary := s.revision(s.Primary)
	if primary == nil {
		return
	}
	for _, t := range m.ECS.tasksOf(s) {
		if t.Revision != primary.ARN || t.FailureCounted {
			continue
		}
		unhealthy := m.active(t) && m.reached(t.ReplaceAt)
		ended := t.stoppedItself() && m.reached(t.Deactivating)
		if !unhealthy && !ended {
			continue
		}
		if unhealthy {
			m.replaceUnhealthy(s, r, t)
		}
		t.FailureCounted = true
		primary.Failed++
		primary.Updated = m.now
		s.RetryAt = m.in(min(10*time.Second<<min(primary.Failed-1, 7), 15*time.Minute))
	}
}

func (m model) replaceUnhealthy(s *service, r *Resource, t *task) {
	group := ""
	if found := m.targetGroup(r); found != nil {
		group = found.Text("arn")
	}
	m.addEvent(s, "(port %d) is unhealthy in (target-group %s) due to (reason Health checks failed with these codes: [503]).",
		m.portOf(r), group)
	m.stop(t, m.drainTime(r), ecs.TaskStopCodeServiceSchedulerInitiated,
		fmt.Sprintf("Task failed ELB health checks in (target-group %s)", group))
	m.addEvent(s, "has stopped 1 running tasks: (task %s).", t.ID())
}

func (m model) portOf(r *Resource) int {
	for _, block := range r.Blocks("loadBalancers") {
		if port := blockNumber(block, "containerPort"); port > 0 {
			return port
		}
	}
	return 0
}

// failureThreshold returns the number of failed tasks at which the circuit breaker trips: half of the desired count,
// between 3 and 200.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
func failureThreshold(desired int) int { return min(max((desired+1)/2, 3), 200) }

func circuitBreaker(r *Resource) (enabled, rollback bool) {
	for _, block := range r.Blocks("deploymentCircuitBreaker") {
		enabled, rollback = blockBool(block, "enable"), blockBool(block, "rollback")
	}
	return enabled, rollback
}

// checkCircuitBreaker ends a deployment with too many failed tasks.
func (m model) checkCircuitBreaker(s *service, r *Resource) {
	d, primary := s.latestDeployment(), s.revision(s.Primary)
	if d == nil || !d.inProgress() || primary.Failed < failureThreshold(m.desired(r)) {
		return
	}
	enabled, rollback := circuitBreaker(r)
	switch {
	case !enabled:
	case d.Status == ecs.ServiceDeploymentStatusRollbackInProgress:
		m.failRevision(s, primary, circuitBreakerReason, failedToStart)
		m.finishDeployment(d, ecs.ServiceDeploymentStatusRollbackFailed, "Service deployment rollback failed: tasks failed to start.")
	case rollback:
		d.Tripped = true
		m.failRevision(s, primary, circuitBreakerReason, failedToStart)
		m.rollBack(s, r, d, "the circuit breaker threshold was exceeded.")
	default:
		d.Tripped = true
		m.failRevision(s, primary, circuitBreakerReason, failedToStart)
		m.finishDeployment(d, ecs.ServiceDeploymentStatusStopped, "Service deployment failed because the circuit breaker threshold was exceeded.")
	}
}

// Why the circuit breaker fails a revision.
const (
	circuitBreakerReason = "ECS deployment circuit breaker"
	failedToStart        = "tasks failed to start."
)

// failRevision marks a revision as failed, so that no more of its tasks are started.
func (m model) failRevision(s *service, r *revision, by, why string) {
	r.State, r.Updated = ecs.DeploymentRolloutStateFailed, m.now
	r.Reason = by + ": " + why
	m.addEvent(s, "(deployment %s) deployment failed: %s", r.DeploymentID, why)
}

// rollBack returns to the last revision that completed. It also changes the service's resource: a rollback by ECS is a
// difference between the account and the stack.
func (m model) rollBack(s *service, r *Resource, d *deployment, why string) {
	good := s.revision(s.LastGood)
	if good == nil {
		m.finishDeployment(d, ecs.ServiceDeploymentStatusRollbackFailed, "Service deployment failed because "+why+
			" No rollback candidate was found to run the rollback.")
		return
	}
	d.Status, d.Updated = ecs.ServiceDeploymentStatusRollbackInProgress, m.now
	d.Reason = "Service deployment rolled back because " + why
	d.RollbackTo, d.RollbackSince, d.RollbackReason = good.ARN, m.now, d.Reason
	good.State, good.Updated, good.Failed = ecs.DeploymentRolloutStateInProgress, m.now, 0
	good.Reason = fmt.Sprintf("ECS deployment circuit breaker: rolling back to deployment %s.", good.DeploymentID)
	m.addEvent(s, "rolling back to deployment %s.", good.DeploymentID)
	s.Primary, s.Definition, s.RetryAt = good.ARN, good.Definition, time.Time{}
	r.modify("taskDefinition", good.Definition)
}

// completeDeployment ends a deployment when all desired tasks are healthy and only draining tasks of other revisions
// are left.
func (m model) completeDeployment(s *service, r *Resource) {
	d, primary := s.latestDeployment(), s.revision(s.Primary)
	if d == nil || !d.inProgress() || primary.State == ecs.DeploymentRolloutStateFailed || !m.reached(d.Started) {
		return
	}
	healthy := 0
	for _, t := range m.ECS.tasksOf(s) {
		switch {
		case !m.active(t):
		case t.Revision != primary.ARN:
			return
		case m.healthy(t):
			healthy++
		}
	}
	if healthy < m.desired(r) || m.stillWatching(d) {
		return
	}
	status := ecs.ServiceDeploymentStatusSuccessful
	if d.Status == ecs.ServiceDeploymentStatusRollbackInProgress {
		status = ecs.ServiceDeploymentStatusRollbackSuccessful
	}
	m.finishDeployment(d, status, d.Reason)
	primary.State, primary.Updated = ecs.DeploymentRolloutStateCompleted, m.now
	primary.Reason = fmt.Sprintf("ECS deployment %s completed.", primary.DeploymentID)
	s.LastGood = primary.ARN
	m.markKnownGood(s, primary)
	m.addEvent(s, "(deployment %s) deployment completed.", primary.DeploymentID)
	m.addEvent(s, "has reached a steady state.")
}

// markKnownGood records the revision's image as the last one that ran well in the service. Under a fault that begins after the rollout it is
// not known yet.
func (m model) markKnownGood(s *service, r *revision) {
	d, found := m.definition(r.Definition)
	if !found || m.desiredOf(s) == 0 || len(r.Faults.late()) > 0 {
		return
	}
	if digest, found := m.resolveImage(deref(d.mainContainer().Image)); found {
		s.KnownGood = digest
	}
}

func (m model) desiredOf(s *service) int {
	if r := m.serviceResource(s.ARN); r != nil {
		return m.desired(r)
	}
	return 0
}

func (m model) finishDeployment(d *deployment, status ecs.ServiceDeploymentStatus, reason string) {
	d.Status, d.Reason, d.Updated, d.Finished = status, reason, m.now, m.now
}
