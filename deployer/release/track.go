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
)

// recently is how far back service deployments are looked for: long enough for clocks that disagree.
const recently = 24 * time.Hour

// track is what a watch knows of one service from one look to the next.
type track struct {
	// before is the service's newest service deployment before this run changed anything, and rollouts are what ECS
	// called its deployments then; they are not this run's.
	before   string
	rollouts []string
	// own is the service deployment that this run started, as far as it is known; ended is its last description, once
	// nothing more can become of it.
	own   string
	ended *types.ServiceDeployment
	// rollout is what this run's tasks are started by, definition what they are started from.
	rollout, definition string
	// listed is how the service looked when its deployments were last listed.
	listed string
	// failed and running are the counters at the last look; where they say that a task is lost, the stopped ones are
	// looked at.
	failed, running int32
}

// remember notes what the services were doing, before this run changes anything.
func (r *rollout) remember(ctx context.Context) error {
	r.tracks, r.stopped = map[string]*track{}, map[string]types.Task{}
	services, err := r.services(ctx)
	if err != nil {
		return err
	}
	for _, s := range r.env.Services.List() {
		name := r.env.ServiceName(s.Role)
		t := &track{}
		r.tracks[name] = t
		found, there := services[name]
		if !there {
			continue
		}
		for _, d := range found.Deployments {
			t.rollouts = append(t.rollouts, aws.ToString(d.Id))
		}
		newest, err := r.newestDeployment(ctx, name)
		if err != nil {
			return err
		}
		t.before = newest
	}
	return nil
}

// newestDeployment is the service's newest service deployment, "" where there is none or they cannot be read.
func (r *rollout) newestDeployment(ctx context.Context, service string) (string, error) {
	if r.blind != nil {
		return "", nil
	}
	var briefs []types.ServiceDeploymentBrief
	in := &ecs.ListServiceDeploymentsInput{
		Cluster: aws.String(r.env.ClusterName()), Service: &service,
		CreatedAt: &types.CreatedAt{After: aws.Time(r.clock.Now().Add(-recently))},
	}
	for more := true; more; more = in.NextToken != nil {
		page, err := r.ecs.ListServiceDeployments(ctx, in)
		var noService *types.ServiceNotFoundException
		var noCluster *types.ClusterNotFoundException
		switch {
		case errors.As(err, &noService), errors.As(err, &noCluster):
			return "", nil
		case refused(err):
			r.blind = err
			return "", nil
		case err != nil:
			return "", fmt.Errorf("list the deployments of %s: %w", service, err)
		}
		briefs = append(briefs, page.ServiceDeployments...)
		in.NextToken = page.NextToken
	}
	if len(briefs) == 0 {
		return "", nil
	}
	newest := slices.MaxFunc(briefs, func(a, b types.ServiceDeploymentBrief) int {
		return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt))
	})
	return aws.ToString(newest.ServiceDeploymentArn), nil
}

// identify finds out which of the service's deployments is this run's, and whether another one took its place. They are
// listed only where the service has changed since, or says that it is being deployed.
func (r *rollout) identify(ctx context.Context, o *observation) error {
	t := r.tracks[o.name]
	current := aws.ToString(o.service.CurrentServiceDeployment)
	looks := o.fingerprint()
	if t.own == "" {
		if current != "" && current != t.before {
			t.own = current
			return nil
		}
		if looks == t.listed && !o.beginning() {
			return nil
		}
	} else if current == t.own || current == "" && (t.ended == nil || looks == t.listed) {
		return nil
	}
	newest := current
	if newest == "" {
		var err error
		if newest, err = r.newestDeployment(ctx, o.name); err != nil {
			return err
		}
	}
	t.listed = looks
	switch {
	case newest == "" || newest == t.own || newest == t.before:
	case t.own == "" || aws.ToString(primaryOf(*o.service).TaskDefinition) == t.definition:
		// Somebody restarted what this run deploys: that is followed.
		t.own, t.ended = newest, nil
	default:
		o.other = newest
	}
	return nil
}

// follow takes note of what was found of this run's service deployment.
func (t *track) follow(o *observation, found map[string]*types.ServiceDeployment) {
	if d := found[t.own]; d != nil {
		o.deployment = d
		if d.FinishedAt != nil {
			t.ended = d
		}
	}
	if d := o.deployment; d != nil && o.other == "" && (underWay(d) || t.rollout == "" && d.Status == types.ServiceDeploymentStatusSuccessful) {
		primary := primaryOf(*o.service)
		t.rollout, t.definition = aws.ToString(primary.Id), aws.ToString(primary.TaskDefinition)
	}
	o.rollout = t.rollout
}

// lost reports whether the counters of the service say that a task of this run was lost since the last look.
func (t *track) lost(o observation) bool {
	if o.service == nil || o.deployment == nil {
		return false
	}
	counters := o.own()
	failed := counters.FailedTasks
	if breaker := o.deployment.DeploymentCircuitBreaker; breaker != nil {
		failed = max(failed, breaker.FailureCount)
	}
	lost := failed > t.failed || counters.RunningCount < t.running || o.failed()
	t.failed, t.running = max(failed, t.failed), counters.RunningCount
	return lost
}

// primaryOf is the deployment that the service wants, in the words of DescribeServices.
func primaryOf(s types.Service) types.Deployment {
	i := slices.IndexFunc(s.Deployments, func(d types.Deployment) bool { return aws.ToString(d.Status) == "PRIMARY" })
	if i < 0 {
		return types.Deployment{}
	}
	return s.Deployments[i]
}

// inOwnWords makes a service deployment of what the service itself says, where service deployments cannot be read. Its
// deployments before this run are not meant.
func (o observation) inOwnWords(before []string) *types.ServiceDeployment {
	var mine types.Deployment
	for _, d := range o.service.Deployments {
		if !slices.Contains(before, aws.ToString(d.Id)) && (mine.Id == nil || d.RolloutState == types.DeploymentRolloutStateFailed) {
			mine = d
		}
	}
	if mine.Id == nil {
		return nil
	}
	status := map[types.DeploymentRolloutState]types.ServiceDeploymentStatus{
		types.DeploymentRolloutStateCompleted: types.ServiceDeploymentStatusSuccessful,
		types.DeploymentRolloutStateFailed:    types.ServiceDeploymentStatusStopped,
	}[mine.RolloutState]
	return &types.ServiceDeployment{
		Status: cmp.Or(status, types.ServiceDeploymentStatusInProgress), StatusReason: mine.RolloutStateReason, CreatedAt: mine.CreatedAt,
	}
}
