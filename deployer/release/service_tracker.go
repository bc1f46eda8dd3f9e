package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// listWindow is how far back service deployments are listed: long enough for clocks that disagree.
const listWindow = 24 * time.Hour

// serviceTracker is what is known of one service from one poll to the next.
type serviceTracker struct {
	// baseline is the service's newest service deployment before this run changed anything, baselineIDs are ECS's IDs of its
	// deployments then; they are not this run's.
	baseline    string
	baselineIDs []string
	// deploymentARN is the service deployment that this run started, where it is known; finished is its final description.
	deploymentARN string
	finished      *types.ServiceDeployment
	// startedBy and taskDefinition are those of this run's tasks.
	startedBy, taskDefinition string
	// listedFingerprint is the service's fingerprint when its deployments were last listed.
	listedFingerprint string
	// failedCount and runningCount are the counters at the last poll. The stopped tasks are read where they show that one was
	// lost.
	failedCount, runningCount int32
}

// captureBaseline stores what the services are doing, before this run changes anything.
func (r *ecsRollout) captureBaseline(ctx context.Context) error {
	r.trackers, r.stopped = map[string]*serviceTracker{}, map[string]types.Task{}
	services, err := r.services(ctx)
	if err != nil {
		return err
	}
	for _, s := range r.env.Services.List() {
		name := r.env.ServiceName(s.Role)
		t := &serviceTracker{}
		r.trackers[name] = t
		service, exists := services[name]
		if !exists {
			continue
		}
		t.baselineIDs = list.Map(service.Deployments, func(d types.Deployment) string { return aws.ToString(d.Id) })
		if t.baseline, err = r.newestDeployment(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// newestDeployment returns the service's newest service deployment; "" where there is none or they cannot be read.
func (r *ecsRollout) newestDeployment(ctx context.Context, service string) (string, error) {
	if r.deploymentsUnavailable != nil {
		return "", nil
	}
	newest := types.ServiceDeploymentBrief{}
	in := &ecs.ListServiceDeploymentsInput{
		Cluster: aws.String(r.env.ClusterName()), Service: &service,
		CreatedAt: &types.CreatedAt{After: aws.Time(r.clock.Now().Add(-listWindow))},
	}
	for more := true; more; more = in.NextToken != nil {
		page, err := r.ecs.ListServiceDeployments(ctx, in)
		var noService *types.ServiceNotFoundException
		var noCluster *types.ClusterNotFoundException
		switch {
		case errors.As(err, &noService), errors.As(err, &noCluster):
			return "", nil
		case isUnavailable(err):
			r.deploymentsUnavailable = err
			return "", nil
		case err != nil:
			return "", fmt.Errorf("list the deployments of %s: %w", service, err)
		}
		for _, brief := range page.ServiceDeployments {
			if newest.ServiceDeploymentArn == nil || aws.ToTime(brief.CreatedAt).After(aws.ToTime(newest.CreatedAt)) {
				newest = brief
			}
		}
		in.NextToken = page.NextToken
	}
	return aws.ToString(newest.ServiceDeploymentArn), nil
}

// matchDeployment determines which of the service's deployments is this run's, and whether another one superseded it. It lists
// them only where the service has changed, or ECS is deploying it.
func (r *ecsRollout) matchDeployment(ctx context.Context, o *observation) error {
	t := r.trackers[o.name]
	current := aws.ToString(o.service.CurrentServiceDeployment)
	fingerprint := o.fingerprint()
	if t.deploymentARN == "" {
		if current != "" && current != t.baseline {
			t.deploymentARN = current
			return nil
		}
		if fingerprint == t.listedFingerprint && !o.rolloutInProgress() {
			return nil
		}
	} else if current == t.deploymentARN || current == "" && (t.finished == nil || fingerprint == t.listedFingerprint) {
		return nil
	}
	newest := current
	if newest == "" {
		var err error
		if newest, err = r.newestDeployment(ctx, o.name); err != nil {
			return err
		}
	}
	t.listedFingerprint = fingerprint
	switch {
	case newest == "" || newest == t.deploymentARN || newest == t.baseline:
	case t.deploymentARN == "" || aws.ToString(checks.PrimaryDeployment(*o.service).TaskDefinition) == t.taskDefinition:
		// Another process restarted what this run deploys: follow the restart.
		t.deploymentARN, t.finished = newest, nil
	default:
		o.supersededBy = newest
	}
	return nil
}

// update stores what was read of this run's service deployment, and adds it to the observation.
func (t *serviceTracker) update(o *observation, found map[string]*types.ServiceDeployment) {
	if d := found[t.deploymentARN]; d != nil {
		o.deployment = d
		if d.FinishedAt != nil {
			t.finished = d
		}
	}
	if d := o.deployment; d != nil && o.supersededBy == "" && (deploymentInProgress(d) || t.startedBy == "" && d.Status == types.ServiceDeploymentStatusSuccessful) {
		primary := checks.PrimaryDeployment(*o.service)
		t.startedBy, t.taskDefinition = aws.ToString(primary.Id), aws.ToString(primary.TaskDefinition)
	}
	o.startedBy = t.startedBy
}

// lostTask reports whether the service's counters show that a task of this run was lost since the last poll.
func (t *serviceTracker) lostTask(o observation) bool {
	if o.service == nil || o.deployment == nil {
		return false
	}
	counters := o.currentDeployment()
	failed := counters.FailedTasks
	if breaker := o.deployment.DeploymentCircuitBreaker; breaker != nil {
		failed = max(failed, breaker.FailureCount)
	}
	lost := failed > t.failedCount || counters.RunningCount < t.runningCount || o.failed()
	t.failedCount, t.runningCount = max(failed, t.failedCount), counters.RunningCount
	return lost
}

// deploymentFromService derives a service deployment from the service, where service deployments cannot be read. Deployments of the
// baseline are not considered.
func (o observation) deploymentFromService(baseline []string) *types.ServiceDeployment {
	var found types.Deployment
	for _, d := range o.service.Deployments {
		if !slices.Contains(baseline, aws.ToString(d.Id)) && (found.Id == nil || d.RolloutState == types.DeploymentRolloutStateFailed) {
			found = d
		}
	}
	if found.Id == nil {
		return nil
	}
	status := map[types.DeploymentRolloutState]types.ServiceDeploymentStatus{
		types.DeploymentRolloutStateCompleted: types.ServiceDeploymentStatusSuccessful,
		types.DeploymentRolloutStateFailed:    types.ServiceDeploymentStatusStopped,
	}[found.RolloutState]
	return &types.ServiceDeployment{
		Status: cmp.Or(status, types.ServiceDeploymentStatusInProgress), StatusReason: found.RolloutStateReason, CreatedAt: found.CreatedAt,
	}
}
