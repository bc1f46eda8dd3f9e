package cloud

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

func ecsOperations() []operation {
	return []operation{
		readOp(listClusters), readOp(describeClusters), readOp(listServices), readOp(describeServices), writeOp(updateService),
		readOp(listTaskDefinitions), readOp(describeTaskDefinition),
		readOp(listTasks), readOp(describeTasks), writeOp(runTask), writeOp(stopTask), readOp(executeCommand),
		readOp(listServiceDeployments), readOp(describeServiceDeployments), readOp(describeServiceRevisions),
		writeOp(stopServiceDeployment),
	}
}

func missingFailure(arn string) types.Failure {
	return types.Failure{Arn: aws.String(arn), Reason: aws.String("MISSING")}
}

// cluster finds a cluster by name or ARN; none means the cluster named default.
func (m model) cluster(id *string) (*Resource, error) {
	name := awsx.NameFromARN(deref(id))
	if name == "" {
		name = "default"
	}
	if r := m.Find(typeCluster, "name", name); r != nil {
		return r, nil
	}
	return nil, &types.ClusterNotFoundException{Message: aws.String("Cluster not found.")}
}

func listClusters(m model, in *ecs.ListClustersInput) (*ecs.ListClustersOutput, error) {
	var arns []string
	for _, r := range m.ByType(typeCluster) {
		arns = append(arns, m.clusterARN(r.Text("name")))
	}
	arns, next, err := page(arns, in.NextToken, in.MaxResults, 100)
	return &ecs.ListClustersOutput{ClusterArns: arns, NextToken: next}, err
}

func describeClusters(m model, in *ecs.DescribeClustersInput) (*ecs.DescribeClustersOutput, error) {
	names := in.Clusters
	if len(names) == 0 {
		names = []string{"default"}
	}
	out := &ecs.DescribeClustersOutput{}
	for _, name := range names {
		r, err := m.cluster(&name)
		if err != nil {
			out.Failures = append(out.Failures, missingFailure(m.clusterARN(name)))
			continue
		}
		out.Clusters = append(out.Clusters, m.clusterOf(r))
	}
	return out, nil
}

func (m model) clusterOf(r *Resource) types.Cluster {
	arn := m.clusterARN(r.Text("name"))
	c := types.Cluster{
		ClusterArn: aws.String(arn), ClusterName: aws.String(r.Text("name")), Status: aws.String("ACTIVE"),
		CapacityProviders: []string{}, Tags: ecsTags(r),
	}
	if providers := m.Find(typeClusterCapacityProviders, "clusterName", r.Text("name")); providers != nil {
		c.CapacityProviders = providers.Strings("capacityProviders")
	}
	for _, block := range r.Blocks("settings") {
		c.Settings = append(c.Settings, types.ClusterSetting{
			Name: types.ClusterSettingName(blockText(block, "name")), Value: aws.String(blockText(block, "value")),
		})
	}
	for _, s := range m.ECS.services() {
		if s.Cluster == arn {
			c.ActiveServicesCount++
		}
	}
	for _, t := range m.ECS.tasks(func(t *task) bool { return t.Cluster == arn }) {
		switch {
		case m.running(t):
			c.RunningTasksCount++
		case m.active(t):
			c.PendingTasksCount++
		}
	}
	return c
}

func ecsTags(r *Resource) []types.Tag {
	var tags []types.Tag
	for name, value := range r.Tags() {
		tags = append(tags, types.Tag{Key: aws.String(name), Value: aws.String(value)})
	}
	slices.SortFunc(tags, func(x, y types.Tag) int { return strings.Compare(*x.Key, *y.Key) })
	return tags
}

func listTaskDefinitions(m model, in *ecs.ListTaskDefinitionsInput) (*ecs.ListTaskDefinitionsOutput, error) {
	var found []*Resource
	for _, r := range m.ByType(typeTaskDefinition) {
		if prefix := deref(in.FamilyPrefix); prefix == "" || r.Text("family") == prefix {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(x, y *Resource) int {
		order := strings.Compare(x.Text("family"), y.Text("family"))
		if order == 0 {
			order = int(x.Number("revision") - y.Number("revision"))
		}
		if in.Sort == types.SortOrderDesc {
			order = -order
		}
		return order
	})
	var arns []string
	for _, r := range found {
		arns = append(arns, r.Text("arn"))
	}
	arns, next, err := page(arns, in.NextToken, in.MaxResults, 100)
	return &ecs.ListTaskDefinitionsOutput{TaskDefinitionArns: arns, NextToken: next}, err
}

func describeTaskDefinition(m model, in *ecs.DescribeTaskDefinitionInput) (*ecs.DescribeTaskDefinitionOutput, error) {
	d, found := m.definition(deref(in.TaskDefinition))
	if !found {
		return nil, &types.ClientException{Message: aws.String("Unable to describe task definition.")}
	}
	out := &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &types.TaskDefinition{
		TaskDefinitionArn: aws.String(d.ARN()), Family: aws.String(d.Text("family")), Revision: int32(d.Number("revision")),
		ContainerDefinitions: decodeContainers(d.Text("containerDefinitions")), Cpu: aws.String(d.Text("cpu")), Memory: aws.String(d.Text("memory")),
		ExecutionRoleArn: aws.String(d.Text("executionRoleArn")), TaskRoleArn: aws.String(d.Text("taskRoleArn")),
		NetworkMode: types.NetworkMode(d.Text("networkMode")), RegisteredAt: &d.Created, Status: types.TaskDefinitionStatusActive,
	}}
	for _, launch := range d.Strings("requiresCompatibilities") {
		out.TaskDefinition.RequiresCompatibilities = append(out.TaskDefinition.RequiresCompatibilities, types.Compatibility(launch))
	}
	for _, block := range d.Blocks("runtimePlatform") {
		out.TaskDefinition.RuntimePlatform = &types.RuntimePlatform{
			CpuArchitecture:       types.CPUArchitecture(blockText(block, "cpuArchitecture")),
			OperatingSystemFamily: types.OSFamily(blockText(block, "operatingSystemFamily")),
		}
	}
	if slices.Contains(in.Include, types.TaskDefinitionFieldTags) {
		out.Tags = ecsTags(d.Resource)
	}
	return out, nil
}
