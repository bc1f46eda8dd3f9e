package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// recently is how far back service deployments are looked for: long enough for clocks that disagree.
const recently = 24 * time.Hour

// remember notes the newest service deployments, before this run changes anything.
func (r *rollout) remember(ctx context.Context) error {
	r.before, r.own = map[string]string{}, map[string]string{}
	for _, s := range r.env.Services.List() {
		name := r.env.ServiceName(s.Role)
		newest, err := r.newestDeployment(ctx, name)
		if err != nil {
			return err
		}
		r.before[name] = newest
	}
	return nil
}

// newestDeployment is the service's newest deployment, "" where there is none or no such service.
func (r *rollout) newestDeployment(ctx context.Context, service string) (string, error) {
	var briefs []types.ServiceDeploymentBrief
	in := &ecs.ListServiceDeploymentsInput{
		Cluster: aws.String(r.env.ClusterName()), Service: &service,
		CreatedAt: &types.CreatedAt{After: aws.Time(r.clock.Now().Add(-recently))},
	}
	for more := true; more; more = in.NextToken != nil {
		page, err := r.ecs.ListServiceDeployments(ctx, in)
		var noService *types.ServiceNotFoundException
		var noCluster *types.ClusterNotFoundException
		if errors.As(err, &noService) || errors.As(err, &noCluster) {
			return "", nil
		}
		if err != nil {
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

// observe looks at every service once.
func (r *rollout) observe(ctx context.Context) ([]observation, error) {
	cluster := r.env.ClusterName()
	var names []string
	for _, s := range r.env.Services.List() {
		names = append(names, r.env.ServiceName(s.Role))
	}
	out, err := r.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: names})
	if err != nil {
		return nil, fmt.Errorf("look at the services: %w", err)
	}
	deployments, err := r.deployments(ctx, names)
	if err != nil {
		return nil, err
	}
	var observations []observation
	for _, s := range r.env.Services.List() {
		name := r.env.ServiceName(s.Role)
		i := slices.IndexFunc(out.Services, func(found types.Service) bool {
			return aws.ToString(found.ServiceName) == name && aws.ToString(found.Status) == "ACTIVE"
		})
		o := observation{name: name, role: s.Role, container: r.env.ContainerName(s.Role)}
		if i < 0 {
			observations = append(observations, o)
			continue
		}
		o.service, o.deployment = &out.Services[i], deployments[r.own[name]]
		if o.tasks, err = r.tasks(ctx, name); err != nil {
			return nil, err
		}
		if o.targets, err = r.targets(ctx, *o.service); err != nil {
			return nil, err
		}
		observations = append(observations, o)
	}
	return observations, nil
}

// deployments returns the service deployments that this run started, by ARN, in one call.
func (r *rollout) deployments(ctx context.Context, services []string) (map[string]*types.ServiceDeployment, error) {
	var arns []string
	for _, service := range services {
		if r.own[service] == "" {
			newest, err := r.newestDeployment(ctx, service)
			if err != nil {
				return nil, err
			}
			if newest == r.before[service] {
				continue
			}
			r.own[service] = newest
		}
		arns = append(arns, r.own[service])
	}
	if len(arns) == 0 {
		return nil, nil
	}
	out, err := r.ecs.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: arns})
	if err != nil {
		return nil, fmt.Errorf("look at the service deployments: %w", err)
	}
	found := map[string]*types.ServiceDeployment{}
	for i, d := range out.ServiceDeployments {
		found[aws.ToString(d.ServiceDeploymentArn)] = &out.ServiceDeployments[i]
	}
	return found, nil
}

// tasks returns the service's tasks, those that stopped lately too.
func (r *rollout) tasks(ctx context.Context, service string) ([]types.Task, error) {
	cluster := r.env.ClusterName()
	var arns []string
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		pages := ecs.NewListTasksPaginator(r.ecs, &ecs.ListTasksInput{Cluster: &cluster, ServiceName: &service, DesiredStatus: desired})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("list the tasks of %s: %w", service, err)
			}
			arns = append(arns, page.TaskArns...)
		}
	}
	var tasks []types.Task
	for batch := range slices.Chunk(arns, 100) {
		out, err := r.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: batch})
		if err != nil {
			return nil, fmt.Errorf("look at the tasks of %s: %w", service, err)
		}
		tasks = append(tasks, out.Tasks...)
	}
	return tasks, nil
}

func (r *rollout) targets(ctx context.Context, service types.Service) ([]elbtypes.TargetHealthDescription, error) {
	var all []elbtypes.TargetHealthDescription
	for _, balancer := range service.LoadBalancers {
		out, err := r.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: balancer.TargetGroupArn})
		if err != nil {
			return nil, fmt.Errorf("look at the targets of %s: %w", aws.ToString(service.ServiceName), err)
		}
		all = append(all, out.TargetHealthDescriptions...)
	}
	return all, nil
}

// outOfStep returns the services that this run has not touched although their task definition has another image.
func (r *rollout) outOfStep(ctx context.Context) ([]string, error) {
	observations, err := r.observe(ctx)
	if err != nil {
		return nil, err
	}
	var behind []string
	for _, o := range observations {
		if o.service == nil || o.deployment != nil || o.beginning() {
			continue
		}
		out, err := r.ecs.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: o.service.TaskDefinition})
		if err != nil {
			return nil, fmt.Errorf("look at the task definition of %s: %w", o.name, err)
		}
		if !slices.ContainsFunc(out.TaskDefinition.ContainerDefinitions, func(c types.ContainerDefinition) bool {
			return aws.ToString(c.Name) == o.container && aws.ToString(c.Image) == r.image.Reference
		}) {
			behind = append(behind, o.name)
		}
	}
	return behind, nil
}
