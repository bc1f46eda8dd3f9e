package cloud

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// servicesIn returns the services of a cluster, without those whose resource was just deleted.
func (m model) servicesIn(cluster *Resource) []*service {
	arn := m.clusterARN(cluster.Text("name"))
	return slices.DeleteFunc(m.ECS.services(), func(s *service) bool { return s.Cluster != arn || m.serviceResource(s.ARN) == nil })
}

// service finds a service by name or ARN, or returns nil.
func (m model) service(cluster *Resource, id string) *service {
	for _, s := range m.servicesIn(cluster) {
		if s.Name == awsx.NameFromARN(id) {
			return s
		}
	}
	return nil
}

func (m model) serviceOf(clusterID, serviceID *string) (*service, error) {
	cluster, err := m.cluster(clusterID)
	if err != nil {
		return nil, err
	}
	s := m.service(cluster, deref(serviceID))
	if s == nil {
		return nil, &types.ServiceNotFoundException{Message: aws.String("Service not found.")}
	}
	return s, nil
}

func listServices(m model, in *ecs.ListServicesInput) (*ecs.ListServicesOutput, error) {
	cluster, err := m.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, s := range m.servicesIn(cluster) {
		arns = append(arns, s.ARN)
	}
	arns, next, err := page(arns, in.NextToken, in.MaxResults, 100)
	return &ecs.ListServicesOutput{ServiceArns: arns, NextToken: next}, err
}

func describeServices(m model, in *ecs.DescribeServicesInput) (*ecs.DescribeServicesOutput, error) {
	cluster, err := m.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if len(in.Services) > 10 {
		return nil, &types.InvalidParameterException{Message: aws.String("Services cannot have more than 10 elements.")}
	}
	out := &ecs.DescribeServicesOutput{}
	for _, id := range in.Services {
		s := m.service(cluster, id)
		if s == nil {
			out.Failures = append(out.Failures, missingFailure(
				m.arn("ecs", "service/"+cluster.Text("name")+"/"+awsx.NameFromARN(id))))
			continue
		}
		described := m.describeService(s)
		if !slices.Contains(in.Include, types.ServiceFieldTags) {
			described.Tags = nil
		}
		out.Services = append(out.Services, described)
	}
	return out, nil
}

func (m model) describeService(s *service) types.Service {
	r := m.serviceResource(s.ARN)
	least, most := numberOr(r, "deploymentMinimumHealthyPercent", 100), numberOr(r, "deploymentMaximumPercent", 200)
	enabled, rollback := circuitBreaker(r)
	out := types.Service{
		ServiceArn: aws.String(s.ARN), ServiceName: aws.String(s.Name), ClusterArn: aws.String(s.Cluster),
		Status: aws.String("ACTIVE"), CreatedAt: aws.Time(s.Created), DesiredCount: int32(m.desired(r)),
		TaskDefinition: aws.String(s.Definition), LaunchType: types.LaunchType(r.Text("launchType")),
		CapacityProviderStrategy: strategyOf(r),
		PlatformVersion:          aws.String("1.4.0"), PlatformFamily: aws.String("Linux"), SchedulingStrategy: types.SchedulingStrategyReplica,
		DeploymentController: &types.DeploymentController{Type: types.DeploymentControllerTypeEcs},
		DeploymentConfiguration: &types.DeploymentConfiguration{
			MinimumHealthyPercent: int32p(least), MaximumPercent: int32p(most), Strategy: types.DeploymentStrategyRolling,
			DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: enabled, Rollback: rollback},
			Alarms:                   alarmsOf(r),
		},
		NetworkConfiguration: networkOf(r), LoadBalancers: balancersOf(r), EnableExecuteCommand: r.Bool("enableExecuteCommand"),
		EnableECSManagedTags: r.Bool("enableEcsManagedTags"), PropagateTags: types.PropagateTags(r.Text("propagateTags")),
		Tags: ecsTags(r),
	}
	if grace := numberOr(r, "healthCheckGracePeriodSeconds", 0); grace > 0 {
		out.HealthCheckGracePeriodSeconds = int32p(grace)
	}
	if d := s.latestDeployment(); d != nil && d.inProgress() {
		out.CurrentServiceDeployment = aws.String(d.ARN)
	}
	for _, revision := range slices.Backward(s.Revisions) {
		d := m.describeRollout(s, r, revision)
		out.RunningCount += d.RunningCount
		out.PendingCount += d.PendingCount
		if *d.Status == "PRIMARY" {
			out.Deployments = slices.Insert(out.Deployments, 0, d)
		} else if d.RunningCount+d.PendingCount > 0 || m.failing(s, revision) {
			out.Deployments = append(out.Deployments, d)
		}
		if d.RunningCount > 0 || *d.Status == "PRIMARY" {
			out.CurrentServiceRevisions = append(out.CurrentServiceRevisions, types.ServiceCurrentRevisionSummary{
				Arn: aws.String(revision.ARN), RunningTaskCount: d.RunningCount, PendingTaskCount: d.PendingCount,
				RequestedTaskCount: d.DesiredCount,
			})
		}
	}
	for _, e := range s.Events {
		out.Events = append(out.Events, types.ServiceEvent{
			CreatedAt: aws.Time(e.At), Id: aws.String(m.uuid("event", s.ARN, e.At, e.Message)), Message: aws.String(e.Message),
		})
	}
	return out
}

// failing reports whether a rollback in progress replaces the revision.
func (m model) failing(s *service, r *revision) bool {
	d := s.latestDeployment()
	return d != nil && d.inProgress() && d.Target == r.ARN && r.State == types.DeploymentRolloutStateFailed
}

// counts returns how many tasks of a revision run and how many are starting.
func (m model) counts(s *service, revision string) (running, pending int32) {
	for _, t := range m.ECS.tasksOf(s) {
		switch {
		case t.Revision != revision || !m.active(t):
		case m.running(t):
			running++
		default:
			pending++
		}
	}
	return running, pending
}

func (m model) describeRollout(s *service, r *Resource, revision *revision) types.Deployment {
	running, pending := m.counts(s, revision.ARN)
	status, desired := "ACTIVE", 0
	if revision.ARN == s.Primary {
		status, desired = "PRIMARY", m.desired(r)
	}
	return types.Deployment{
		Id: aws.String(revision.DeploymentID), Status: aws.String(status), TaskDefinition: aws.String(revision.Definition),
		CreatedAt: aws.Time(revision.Created), UpdatedAt: aws.Time(revision.Updated), DesiredCount: int32(desired),
		RunningCount: running, PendingCount: pending, FailedTasks: int32(revision.Failed), RolloutState: revision.State,
		RolloutStateReason: aws.String(revision.Reason), LaunchType: types.LaunchType(r.Text("launchType")),
		CapacityProviderStrategy: strategyOf(r),
		PlatformVersion:          aws.String("1.4.0"), PlatformFamily: aws.String("Linux"), NetworkConfiguration: networkOf(r),
	}
}

// strategyOf returns the capacity provider strategy of a service; ECS returns one or a launch type.
func strategyOf(r *Resource) []types.CapacityProviderStrategyItem {
	var items []types.CapacityProviderStrategyItem
	for _, block := range r.Blocks(capacityStrategies) {
		items = append(items, types.CapacityProviderStrategyItem{
			CapacityProvider: aws.String(blockText(block, "capacityProvider")),
			Base:             int32(blockNumber(block, "base")), Weight: int32(blockNumber(block, "weight")),
		})
	}
	return items
}

func networkOf(r *Resource) *types.NetworkConfiguration {
	blocks := r.Blocks("networkConfiguration")
	if len(blocks) == 0 {
		return nil
	}
	public := types.AssignPublicIpDisabled
	if blockBool(blocks[0], "assignPublicIp") {
		public = types.AssignPublicIpEnabled
	}
	return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{
		Subnets: blockStrings(blocks, "subnets"), SecurityGroups: blockStrings(blocks, "securityGroups"), AssignPublicIp: public,
	}}
}

func balancersOf(r *Resource) []types.LoadBalancer {
	var all []types.LoadBalancer
	for _, block := range r.Blocks("loadBalancers") {
		all = append(all, types.LoadBalancer{
			TargetGroupArn: aws.String(blockText(block, "targetGroupArn")), ContainerName: aws.String(blockText(block, "containerName")),
			ContainerPort: int32p(blockNumber(block, "containerPort")),
		})
	}
	return all
}

// updateService changes the number of tasks or the task definition outside the stack, which appears as drift, or starts
// a deployment of the current task definition.
func updateService(m model, in *ecs.UpdateServiceInput) (*ecs.UpdateServiceOutput, error) {
	s, err := m.serviceOf(in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	r := m.serviceResource(s.ARN)
	if in.DesiredCount != nil {
		r.modify("desiredCount", float64(*in.DesiredCount))
	}
	deploys := in.ForceNewDeployment
	if in.TaskDefinition != nil {
		d, found := m.definition(*in.TaskDefinition)
		if !found {
			return nil, &types.ClientException{Message: aws.String("TaskDefinition not found.")}
		}
		deploys = deploys || s.Definition != d.ARN()
		r.modify("taskDefinition", d.ARN())
		s.Definition = d.ARN()
	}
	if deploys {
		m.deploy(s, s.Definition)
	}
	m.step()
	described := m.describeService(s)
	return &ecs.UpdateServiceOutput{Service: &described}, nil
}
