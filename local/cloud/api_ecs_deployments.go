package cloud

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// statusOf returns a deployment's status, which is PENDING before its start time.
func (m model) statusOf(d *deployment) types.ServiceDeploymentStatus {
	if d.Status == types.ServiceDeploymentStatusInProgress && !m.reached(d.Started) {
		return types.ServiceDeploymentStatusPending
	}
	return d.Status
}

func listServiceDeployments(m model, in *ecs.ListServiceDeploymentsInput) (*ecs.ListServiceDeploymentsOutput, error) {
	s, err := m.serviceOf(in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	var found []types.ServiceDeploymentBrief
	for _, d := range slices.Backward(s.Deployments) {
		status := m.statusOf(d)
		if len(in.Status) > 0 && !slices.Contains(in.Status, status) || in.CreatedAt != nil &&
			(in.CreatedAt.After != nil && d.Created.Before(*in.CreatedAt.After) ||
				in.CreatedAt.Before != nil && d.Created.After(*in.CreatedAt.Before)) {
			continue
		}
		brief := types.ServiceDeploymentBrief{
			ServiceDeploymentArn: aws.String(d.ARN), ServiceArn: aws.String(s.ARN), ClusterArn: aws.String(s.Cluster),
			CreatedAt: aws.Time(d.Created), Status: status, StatusReason: orNil(d.Reason), TargetServiceRevisionArn: aws.String(d.Target),
		}
		if m.reached(d.Started) {
			brief.StartedAt = aws.Time(d.Started)
		}
		if !d.Finished.IsZero() {
			brief.FinishedAt = aws.Time(d.Finished)
		}
		found = append(found, brief)
	}
	found, next, err := page(found, in.NextToken, in.MaxResults, 100)
	return &ecs.ListServiceDeploymentsOutput{ServiceDeployments: found, NextToken: next}, err
}

func (m model) deployment(arn string) (*service, *deployment) {
	for _, s := range m.ECS.services() {
		for _, d := range s.Deployments {
			if d.ARN == arn {
				return s, d
			}
		}
	}
	return nil, nil
}

func describeServiceDeployments(m model, in *ecs.DescribeServiceDeploymentsInput) (*ecs.DescribeServiceDeploymentsOutput, error) {
	out := &ecs.DescribeServiceDeploymentsOutput{}
	for _, arn := range in.ServiceDeploymentArns {
		s, d := m.deployment(arn)
		if d == nil {
			out.Failures = append(out.Failures, missingFailure(arn))
			continue
		}
		out.ServiceDeployments = append(out.ServiceDeployments, m.describeDeployment(s, d))
	}
	return out, nil
}

func (m model) describeDeployment(s *service, d *deployment) types.ServiceDeployment {
	r := m.serviceResource(s.ARN)
	out := types.ServiceDeployment{
		ServiceDeploymentArn: aws.String(d.ARN), ServiceArn: aws.String(s.ARN), ClusterArn: aws.String(s.Cluster),
		CreatedAt: aws.Time(d.Created), UpdatedAt: aws.Time(d.Updated), Status: m.statusOf(d), StatusReason: orNil(d.Reason),
		TargetServiceRevision: m.revisionSummary(s, d.Target), DeploymentCircuitBreaker: m.describeCircuitBreaker(s, d, r),
		DeploymentConfiguration: m.describeService(s).DeploymentConfiguration,
		Alarms:                  &types.ServiceDeploymentAlarms{AlarmNames: d.Alarms.Names, Status: d.Alarms.Status, TriggeredAlarmNames: d.Alarms.Triggered},
	}
	if m.reached(d.Started) {
		out.StartedAt = aws.Time(d.Started)
	}
	if !d.Finished.IsZero() {
		out.FinishedAt = aws.Time(d.Finished)
		if d.Status == types.ServiceDeploymentStatusStopped {
			out.StoppedAt = aws.Time(d.Finished)
		}
	}
	for _, arn := range d.Sources {
		out.SourceServiceRevisions = append(out.SourceServiceRevisions, *m.revisionSummary(s, arn))
	}
	if d.RollbackTo != "" {
		out.Rollback = &types.Rollback{
			Reason: aws.String(d.RollbackReason), ServiceRevisionArn: aws.String(d.RollbackTo), StartedAt: aws.Time(d.RollbackSince),
		}
	}
	return out
}

func (m model) revisionSummary(s *service, arn string) *types.ServiceRevisionSummary {
	running, pending := m.counts(s, arn)
	out := &types.ServiceRevisionSummary{Arn: aws.String(arn), RunningTaskCount: running, PendingTaskCount: pending}
	if arn == s.Primary {
		out.RequestedTaskCount = int32(m.desiredOf(s))
	}
	return out
}

func (m model) describeCircuitBreaker(s *service, d *deployment, r *Resource) *types.ServiceDeploymentCircuitBreaker {
	out := &types.ServiceDeploymentCircuitBreaker{
		Status: types.ServiceDeploymentRollbackMonitorsStatusMonitoring, Threshold: int32(failureThreshold(m.desired(r))),
	}
	if target := s.revision(d.Target); target != nil {
		out.FailureCount = int32(target.Failed)
	}
	enabled, _ := circuitBreaker(r)
	switch {
	case !enabled:
		out.Status = types.ServiceDeploymentRollbackMonitorsStatusDisabled
	case d.Tripped:
		out.Status = types.ServiceDeploymentRollbackMonitorsStatusTriggered
	case !d.inProgress():
		out.Status = types.ServiceDeploymentRollbackMonitorsStatusMonitoringComplete
	}
	return out
}

func describeServiceRevisions(m model, in *ecs.DescribeServiceRevisionsInput) (*ecs.DescribeServiceRevisionsOutput, error) {
	out := &ecs.DescribeServiceRevisionsOutput{}
	for _, arn := range in.ServiceRevisionArns {
		described := m.describeRevision(arn)
		if described == nil {
			out.Failures = append(out.Failures, missingFailure(arn))
			continue
		}
		out.ServiceRevisions = append(out.ServiceRevisions, *described)
	}
	return out, nil
}

func (m model) describeRevision(arn string) *types.ServiceRevision {
	for _, s := range m.ECS.services() {
		revision := s.revision(arn)
		if revision == nil {
			continue
		}
		r := m.serviceResource(s.ARN)
		out := &types.ServiceRevision{
			ServiceRevisionArn: aws.String(arn), ServiceArn: aws.String(s.ARN), ClusterArn: aws.String(s.Cluster),
			TaskDefinition: aws.String(revision.Definition), CreatedAt: aws.Time(revision.Created),
			LaunchType: types.LaunchType(r.Text("launchType")), CapacityProviderStrategy: strategyOf(r), PlatformVersion: aws.String("1.4.0"),
			PlatformFamily: aws.String("Linux"), LoadBalancers: balancersOf(r), NetworkConfiguration: networkOf(r),
		}
		d, _ := m.definition(revision.Definition)
		for _, c := range d.containers {
			image := types.ContainerImage{ContainerName: c.Name, Image: c.Image}
			if digest, _ := m.resolveImage(deref(c.Image)); digest != "" {
				image.ImageDigest = aws.String(digest)
			}
			out.ContainerImages = append(out.ContainerImages, image)
		}
		return out
	}
	return nil
}

// stopServiceDeployment stops a deployment in progress: it rolls back to the last good revision, or aborts.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
func stopServiceDeployment(m model, in *ecs.StopServiceDeploymentInput) (*ecs.StopServiceDeploymentOutput, error) {
	arn := deref(in.ServiceDeploymentArn)
	s, d := m.deployment(arn)
	if d == nil {
		return nil, &types.ServiceDeploymentNotFoundException{Message: aws.String("The service deployment " + arn + " does not exist.")}
	}
	if d.Status != types.ServiceDeploymentStatusInProgress {
		return nil, &types.ConflictException{Message: aws.String("The service deployment is in status " + string(d.Status) + " and cannot be stopped.")}
	}
	if in.StopType == types.StopServiceDeploymentStopTypeAbort {
		m.finishDeployment(d, types.ServiceDeploymentStatusStopped, "Service deployment stopped by the user.")
	} else {
		m.failRevision(s, s.revision(s.Primary), circuitBreakerReason, failedToStart)
		m.rollBack(s, m.serviceResource(s.ARN), d, "it was stopped by the user.")
		m.step()
	}
	return &ecs.StopServiceDeploymentOutput{ServiceDeploymentArn: aws.String(arn)}, nil
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
