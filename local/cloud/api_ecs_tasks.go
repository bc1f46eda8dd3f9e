package cloud

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// stillDescribed reports whether ECS still describes the task, which it does for an hour after the task stopped.
func (m model) stillDescribed(t *task) bool {
	return !m.reached(t.Stopped) || m.now.Sub(t.Stopped) < stoppedRetention
}

func listTasks(m model, in *ecs.ListTasksInput) (*ecs.ListTasksOutput, error) {
	cluster, err := m.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if in.ServiceName != nil && m.service(cluster, *in.ServiceName) == nil {
		return nil, &types.ServiceNotFoundException{Message: aws.String("Service not found.")}
	}
	arn := m.clusterARN(cluster.Text("name"))
	match := func(t *task) bool {
		stopping := m.reached(t.Deactivating)
		return t.Cluster == arn && m.stillDescribed(t) && stopping == (in.DesiredStatus == types.DesiredStatusStopped) &&
			(in.ServiceName == nil || awsx.NameFromARN(t.Service) == awsx.NameFromARN(*in.ServiceName)) &&
			(in.StartedBy == nil || t.StartedBy == *in.StartedBy) &&
			(in.Family == nil || m.family(t) == *in.Family)
	}
	var arns []string
	for _, t := range m.ECS.tasks(match) {
		arns = append(arns, t.ARN)
	}
	arns, next, err := page(arns, in.NextToken, in.MaxResults, 100)
	return &ecs.ListTasksOutput{TaskArns: arns, NextToken: next}, err
}

func (m model) family(t *task) string {
	d, _ := m.definition(t.Definition)
	if d.Resource == nil {
		return ""
	}
	return d.Text("family")
}

// task finds a task that ECS still describes by ID or ARN, or returns nil.
func (m model) task(cluster *Resource, id string) *task {
	t := m.ECS.Tasks[m.arn("ecs", "task/"+cluster.Text("name")+"/"+awsx.NameFromARN(id))]
	if t == nil || !m.stillDescribed(t) {
		return nil
	}
	return t
}

func describeTasks(m model, in *ecs.DescribeTasksInput) (*ecs.DescribeTasksOutput, error) {
	cluster, err := m.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	if len(in.Tasks) > 100 {
		return nil, &types.InvalidParameterException{Message: aws.String("Tasks cannot have more than 100 elements.")}
	}
	out := &ecs.DescribeTasksOutput{}
	for _, id := range in.Tasks {
		if t := m.task(cluster, id); t != nil {
			out.Tasks = append(out.Tasks, m.describeTask(t))
			continue
		}
		out.Failures = append(out.Failures, missingFailure(m.arn("ecs", "task/"+cluster.Text("name")+"/"+awsx.NameFromARN(id))))
	}
	return out, nil
}

func (m model) describeTask(t *task) types.Task {
	d, _ := m.definition(t.Definition)
	out := types.Task{
		TaskArn: aws.String(t.ARN), ClusterArn: aws.String(t.Cluster), TaskDefinitionArn: aws.String(t.Definition),
		Group: aws.String(t.Group), StartedBy: orNil(t.StartedBy), LastStatus: aws.String(m.status(t)),
		DesiredStatus: aws.String("RUNNING"), LaunchType: types.LaunchTypeFargate, PlatformVersion: aws.String("1.4.0"),
		PlatformFamily: aws.String("Linux"), Connectivity: types.ConnectivityConnected, CreatedAt: aws.Time(t.Created),
		PullStartedAt: m.ifReached(t.Pull), PullStoppedAt: m.ifReached(t.Started), StartedAt: m.ifReached(t.Started),
		StoppingAt: m.ifReached(t.Deactivating), ExecutionStoppedAt: m.ifReached(t.Stopping), StoppedAt: m.ifReached(t.Stopped),
		Attachments: m.attachments(t), Overrides: overridesOf(t, d), Version: 1,
		EnableExecuteCommand: t.Exec,
	}
	out.CapacityProviderName = orNil(t.Provider)
	if subnet := m.Get(typeSubnet, t.Subnet); subnet != nil {
		out.AvailabilityZone = aws.String(subnet.Text("availabilityZone"))
	}
	if d.Resource != nil {
		out.Cpu, out.Memory = aws.String(d.Text("cpu")), aws.String(d.Text("memory"))
	}
	if m.reached(t.Deactivating) {
		out.DesiredStatus, out.StoppedReason, out.StopCode = aws.String("STOPPED"), orNil(t.Reason), t.Code
	}
	for _, c := range d.containers {
		out.Containers = append(out.Containers, m.describeContainer(t, d, c))
	}
	out.HealthStatus = types.HealthStatusUnknown
	for _, c := range out.Containers {
		if c.HealthStatus != types.HealthStatusUnknown {
			out.HealthStatus = c.HealthStatus
		}
	}
	return out
}

func (m model) describeContainer(t *task, d definition, c types.ContainerDefinition) types.Container {
	isMain := deref(d.mainContainer().Name) == deref(c.Name)
	out := types.Container{
		Name: c.Name, Image: c.Image, TaskArn: aws.String(t.ARN), LastStatus: aws.String(m.containerStatus(t)),
		ContainerArn: aws.String(m.arn("ecs", "container/"+awsx.NameFromARN(t.Cluster)+"/"+t.ID()+"/"+m.uuid("container", t.ARN, deref(c.Name)))),
		HealthStatus: types.HealthStatusUnknown, Cpu: aws.String(fmt.Sprint(c.Cpu)),
	}
	if digest, _ := m.resolveImage(deref(c.Image)); digest != "" && m.reached(t.Pull) {
		out.ImageDigest = aws.String(digest)
	}
	if t.Address != "" {
		out.NetworkInterfaces = []types.NetworkInterface{{
			AttachmentId: aws.String(m.uuid("attachment", t.ARN)), PrivateIpv4Address: aws.String(t.Address),
		}}
	}
	if t.Exec {
		out.ManagedAgents = []types.ManagedAgent{{
			Name: types.ManagedAgentNameExecuteCommandAgent, LastStatus: aws.String(m.containerStatus(t)), LastStartedAt: m.ifReached(t.Started),
		}}
	}
	if m.reached(t.Started) && !m.reached(t.Stopping) {
		out.RuntimeId = aws.String(t.ID() + "-" + m.number("runtime", t.ARN, deref(c.Name))[:10])
		if c.HealthCheck != nil && m.reached(t.Healthy) {
			out.HealthStatus = types.HealthStatusHealthy
		}
	}
	switch {
	case !m.reached(t.Stopping):
	case isMain:
		out.ExitCode, out.Reason = t.Exit, orNil(t.ExitReason)
	case t.Exit != nil:
		out.ExitCode = aws.Int32(0)
	}
	return out
}

func (m model) containerStatus(t *task) string {
	switch {
	case m.reached(t.Stopping):
		return "STOPPED"
	case m.reached(t.Started):
		return "RUNNING"
	}
	return "PENDING"
}

// ifReached returns a time that has passed, or nil.
func (m model) ifReached(t time.Time) *time.Time {
	if !m.reached(t) {
		return nil
	}
	return aws.Time(t)
}

func (m model) attachments(t *task) []types.Attachment {
	if t.Subnet == "" {
		return nil
	}
	status := "ATTACHED"
	switch {
	case m.reached(t.Stopped):
		status = "DELETED"
	case !m.reached(t.Pull):
		status = "ATTACHING"
	}
	detail := func(name, value string) types.KeyValuePair {
		return types.KeyValuePair{Name: aws.String(name), Value: aws.String(value)}
	}
	return []types.Attachment{{
		Id: aws.String(m.uuid("attachment", t.ARN)), Type: aws.String("ElasticNetworkInterface"), Status: aws.String(status),
		Details: []types.KeyValuePair{
			detail("subnetId", t.Subnet), detail("networkInterfaceId", "eni-"+m.derive("eni", t.ARN)[:17]),
			detail("privateIPv4Address", t.Address),
		},
	}}
}

func overridesOf(t *task, d definition) *types.TaskOverride {
	if t.Command == nil {
		return &types.TaskOverride{}
	}
	return &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{
		Name: d.mainContainer().Name, Command: slices.Clone(t.Command),
	}}}
}

func runTask(m model, in *ecs.RunTaskInput) (*ecs.RunTaskOutput, error) {
	cluster, err := m.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	d, found := m.definition(deref(in.TaskDefinition))
	if !found {
		return nil, &types.ClientException{Message: aws.String("TaskDefinition not found.")}
	}
	subnets, err := m.subnetsOf(in.NetworkConfiguration, d)
	if err != nil {
		return nil, err
	}
	override, command := overrideOf(in.Overrides, d)
	out := &ecs.RunTaskOutput{}
	for range max(1, deref(in.Count)) {
		m.Serial++
		digest, _ := m.resolveImage(deref(d.mainContainer().Image))
		t := &task{
			ARN:     m.arn("ecs", "task/"+cluster.Text("name")+"/"+m.derive("task", cluster.Text("name"), m.now, m.Serial)),
			Cluster: m.clusterARN(cluster.Text("name")), Definition: d.ARN(), Digest: digest, Created: m.now,
			Group: deref(in.Group), StartedBy: deref(in.StartedBy), Command: override,
		}
		if t.Group == "" {
			t.Group = "family:" + d.Text("family")
		}
		t.Subnet, t.Address = m.assignAddress(t.ARN, subnets)
		m.startOneOff(t, d, command)
		m.ECS.Tasks[t.ARN] = t
		out.Tasks = append(out.Tasks, m.describeTask(t))
	}
	return out, nil
}

// overrideOf returns the command override for the main container, and the command that it runs.
func overrideOf(overrides *types.TaskOverride, d definition) (override, command []string) {
	command = d.mainContainer().Command
	if overrides == nil {
		return nil, command
	}
	for _, c := range overrides.ContainerOverrides {
		if deref(c.Name) == deref(d.mainContainer().Name) && len(c.Command) > 0 {
			override, command = c.Command, c.Command
		}
	}
	return override, command
}

func (m model) subnetsOf(network *types.NetworkConfiguration, d definition) ([]string, error) {
	if d.Text("networkMode") != string(types.NetworkModeAwsvpc) {
		return nil, nil
	}
	if network == nil || network.AwsvpcConfiguration == nil || len(network.AwsvpcConfiguration.Subnets) == 0 {
		return nil, &types.InvalidParameterException{Message: aws.String(
			"Network Configuration must be provided when networkMode 'awsvpc' is specified.")}
	}
	for _, subnet := range network.AwsvpcConfiguration.Subnets {
		if m.Get(typeSubnet, subnet) == nil {
			return nil, &types.InvalidParameterException{Message: aws.String("Error retrieving subnet information for [" + subnet +
				"]: The subnet ID '" + subnet + "' does not exist (ErrorCode: InvalidSubnetID.NotFound)")}
		}
	}
	for _, group := range network.AwsvpcConfiguration.SecurityGroups {
		if m.Get(typeSecurityGroup, group) == nil {
			return nil, &types.InvalidParameterException{Message: aws.String("Error retrieving security group information for [" + group +
				"]: The security group '" + group + "' does not exist (ErrorCode: InvalidGroup.NotFound)")}
		}
	}
	return network.AwsvpcConfiguration.Subnets, nil
}

// stopDelay is how long a container runs after it was asked to stop.
const stopDelay = 5 * time.Second

func stopTask(m model, in *ecs.StopTaskInput) (*ecs.StopTaskOutput, error) {
	cluster, err := m.cluster(in.Cluster)
	if err != nil {
		return nil, err
	}
	t := m.task(cluster, deref(in.Task))
	if t == nil {
		return nil, &types.InvalidParameterException{Message: aws.String("The referenced task was not found.")}
	}
	reason := deref(in.Reason)
	if reason == "" {
		reason = "Task stopped by user"
	}
	m.stop(t, stopDelay, types.TaskStopCodeUserInitiated, reason)
	m.step()
	described := m.describeTask(t)
	return &ecs.StopTaskOutput{Task: &described}, nil
}
