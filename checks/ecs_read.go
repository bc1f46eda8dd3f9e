package checks

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// servicesPerCall is how many services one call describes at most.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html
const servicesPerCall = 10

// The cache keys of reads that the report's sections use too.
const (
	servicesKey    = "ecs services"
	balancerKey    = "load balancer"
	listenersKey   = "listeners"
	targetGroupKey = "target group"
	certificateKey = "certificate"
)

func tasksKey(desired ecstypes.DesiredStatus) string { return "ecs tasks " + string(desired) }

// readCluster returns the environment's cluster, or nil where there is none.
func readCluster(ctx context.Context, rc *runContext) (*ecstypes.Cluster, error) {
	return cached(ctx, &rc.cache, "ecs cluster", func(ctx context.Context) (*ecstypes.Cluster, error) {
		out, err := ecs.NewFromConfig(rc.aws()).DescribeClusters(ctx, &ecs.DescribeClustersInput{
			Clusters: []string{rc.env.ClusterName()},
			Include:  []ecstypes.ClusterField{ecstypes.ClusterFieldSettings, ecstypes.ClusterFieldConfigurations},
		})
		if err != nil || len(out.Clusters) == 0 {
			return nil, err
		}
		return &out.Clusters[0], nil
	})
}

// readServices returns the services of the cluster, including any that do not belong to the environment. Without a cluster
// there are none.
func readServices(ctx context.Context, rc *runContext) ([]ecstypes.Service, error) {
	return cached(ctx, &rc.cache, servicesKey, func(ctx context.Context) ([]ecstypes.Service, error) {
		client, cluster := ecs.NewFromConfig(rc.aws()), aws.String(rc.env.ClusterName())
		arns, err := awsx.Pages(ctx, ecs.NewListServicesPaginator(client, &ecs.ListServicesInput{
			Cluster: cluster, MaxResults: aws.Int32(100),
		}), func(out *ecs.ListServicesOutput) []string { return out.ServiceArns })
		if ecstasks.IsNoCluster(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return batches(ctx, arns, servicesPerCall, func(ctx context.Context, arns []string) ([]ecstypes.Service, error) {
			out, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: cluster, Services: arns})
			if err != nil {
				return nil, err
			}
			return out.Services, nil
		})
	})
}

// readTasks returns the tasks of the cluster that ECS wants in a state: those that run or are starting, or those that stopped, which
// ECS lists for about an hour. Without a cluster there are none.
func readTasks(ctx context.Context, rc *runContext, desired ecstypes.DesiredStatus) ([]ecstypes.Task, error) {
	return cached(ctx, &rc.cache, tasksKey(desired), func(ctx context.Context) ([]ecstypes.Task, error) {
		client, cluster := ecs.NewFromConfig(rc.aws()), aws.String(rc.env.ClusterName())
		arns, err := ecstasks.List(ctx, client, &ecs.ListTasksInput{Cluster: cluster, DesiredStatus: desired, MaxResults: aws.Int32(100)})
		if ecstasks.IsNoCluster(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return batches(ctx, arns, ecstasks.PerCall, func(ctx context.Context, arns []string) ([]ecstypes.Task, error) {
			return ecstasks.Describe(ctx, client, cluster, arns)
		})
	})
}

// readTaskDefinition returns the task definition of a family, family:revision or ARN, or nil where there is none.
func readTaskDefinition(ctx context.Context, rc *runContext, name string) (*ecstypes.TaskDefinition, error) {
	return cached(ctx, &rc.cache, "ecs task definition "+name, func(ctx context.Context) (*ecstypes.TaskDefinition, error) {
		out, err := ecs.NewFromConfig(rc.aws()).DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{
			TaskDefinition: aws.String(name),
		})
		// ECS has no error code of its own for a missing task definition.
		// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html
		if hasCode(err, "ClientException") && strings.Contains(err.Error(), "nable to describe task definition") {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return out.TaskDefinition, nil
	})
}

func readRunningTasks(ctx context.Context, rc *runContext) ([]ecstypes.Task, error) {
	return readTasks(ctx, rc, ecstypes.DesiredStatusRunning)
}

func readStoppedTasks(ctx context.Context, rc *runContext) ([]ecstypes.Task, error) {
	return readTasks(ctx, rc, ecstypes.DesiredStatusStopped)
}

// findService returns the service of a name, or nil. ECS lists deleted services as INACTIVE.
func findService(services []ecstypes.Service, name string) *ecstypes.Service {
	return list.Find(services, func(s ecstypes.Service) bool { return aws.ToString(s.ServiceName) == name })
}

// tasksOfService returns the tasks that a service started, the newest first.
func tasksOfService(tasks []ecstypes.Task, service string) []ecstypes.Task {
	own := list.Filter(tasks, func(t ecstypes.Task) bool { return aws.ToString(t.Group) == "service:"+service })
	slices.SortStableFunc(own, func(a, b ecstypes.Task) int { return aws.ToTime(b.CreatedAt).Compare(aws.ToTime(a.CreatedAt)) })
	return own
}
