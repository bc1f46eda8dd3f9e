package release

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// How many services, service deployments and tasks one call takes.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html
const (
	servicesPerCall    = 10
	deploymentsPerCall = 20
	tasksPerCall       = 100
)

// view looks at the services and the service deployments of this run, and at nothing else.
func (r *rollout) view(ctx context.Context) ([]observation, error) {
	services, err := r.services(ctx)
	if err != nil {
		return nil, err
	}
	var seen []observation
	for _, s := range r.env.Services.List() {
		name := r.env.ServiceName(s.Role)
		o := observation{name: name, role: s.Role, container: r.env.ContainerName(s.Role)}
		if found, there := services[name]; there {
			o.service = &found
			if err := r.identify(ctx, &o); err != nil {
				return nil, err
			}
		}
		seen = append(seen, o)
	}
	return seen, r.describe(ctx, seen)
}

// services are the environment's services that are there, by name.
func (r *rollout) services(ctx context.Context) (map[string]types.Service, error) {
	var names []string
	for _, s := range r.env.Services.List() {
		names = append(names, r.env.ServiceName(s.Role))
	}
	found := map[string]types.Service{}
	for batch := range slices.Chunk(names, servicesPerCall) {
		out, err := r.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(r.env.ClusterName()), Services: batch})
		var noCluster *types.ClusterNotFoundException
		if errors.As(err, &noCluster) {
			return found, nil
		}
		if err != nil {
			return nil, fmt.Errorf("look at the services: %w", err)
		}
		for _, s := range out.Services {
			if aws.ToString(s.Status) == "ACTIVE" {
				found[aws.ToString(s.ServiceName)] = s
			}
		}
	}
	return found, nil
}

// describe adds the service deployments of this run to what was seen, all in one call. What has ended is not asked for
// again.
func (r *rollout) describe(ctx context.Context, seen []observation) error {
	var arns []string
	for i := range seen {
		o := &seen[i]
		t := r.tracks[o.name]
		switch {
		case o.service == nil:
		case r.blind != nil:
			o.deployment = o.inOwnWords(t.rollouts)
		case t.ended != nil:
			o.deployment = t.ended
		case t.own != "":
			arns = append(arns, t.own)
		}
	}
	found := map[string]*types.ServiceDeployment{}
	for batch := range slices.Chunk(arns, deploymentsPerCall) {
		out, err := r.ecs.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: batch})
		if refused(err) {
			r.blind = err
			return r.describe(ctx, seen)
		}
		if err != nil {
			return fmt.Errorf("look at the service deployments: %w", err)
		}
		for i, d := range out.ServiceDeployments {
			found[aws.ToString(d.ServiceDeploymentArn)] = &out.ServiceDeployments[i]
		}
	}
	for i := range seen {
		r.tracks[seen[i].name].follow(&seen[i], found)
	}
	return nil
}

// look looks at every service once. Beyond services and deployments it asks for what matters now: the tasks that stopped
// where one was lost, targets where new tasks run, and every running task when the service deployments have ended.
func (r *rollout) look(ctx context.Context) ([]observation, error) {
	seen, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	r.looks++
	lost := false
	for i := range seen {
		lost = r.tracks[seen[i].name].lost(seen[i]) || lost
	}
	if lost {
		r.unfinished = true
	}
	if r.unfinished {
		if err := r.lookAtStopped(ctx); err != nil {
			return nil, err
		}
	}
	ended := !slices.ContainsFunc(seen, func(o observation) bool { return !o.ended() })
	if ended {
		if r.running, err = r.runningTasks(ctx); err != nil {
			return nil, err
		}
	}
	targets := map[string][]elbtypes.TargetHealthDescription{}
	for i := range seen {
		o := &seen[i]
		for _, task := range r.stopped {
			if aws.ToString(task.Group) == "service:"+o.name {
				o.tasks = append(o.tasks, task)
			}
		}
		if ended {
			o.verified = true
			o.tasks = append(o.tasks, r.running["service:"+o.name]...)
		}
		if ended || o.deployment != nil && underWay(o.deployment) && primaryOf(*o.service).RunningCount > 0 {
			if err := r.lookAtTargets(ctx, o, targets); err != nil {
				return nil, err
			}
		}
	}
	return seen, nil
}

// lookAtStopped describes the tasks that stopped, or are about to, and are not known yet. One that has not quite stopped
// has no exit code yet, and is looked at again.
func (r *rollout) lookAtStopped(ctx context.Context) error {
	arns, err := r.taskARNs(ctx, types.DesiredStatusStopped)
	if err != nil {
		return err
	}
	fresh := slices.DeleteFunc(arns, func(arn string) bool { return aws.ToString(r.stopped[arn].LastStatus) == "STOPPED" })
	tasks, err := r.describeTasks(ctx, fresh)
	if err != nil {
		return err
	}
	r.unfinished = false
	for _, t := range tasks {
		r.stopped[aws.ToString(t.TaskArn)] = t
		r.unfinished = r.unfinished || aws.ToString(t.LastStatus) != "STOPPED"
	}
	return nil
}

// runningTasks are the tasks that are to run, by the group that ECS puts them in: service:NAME.
func (r *rollout) runningTasks(ctx context.Context) (map[string][]types.Task, error) {
	arns, err := r.taskARNs(ctx, types.DesiredStatusRunning)
	if err != nil {
		return nil, err
	}
	tasks, err := r.describeTasks(ctx, arns)
	if err != nil {
		return nil, err
	}
	groups := map[string][]types.Task{}
	for _, t := range tasks {
		groups[aws.ToString(t.Group)] = append(groups[aws.ToString(t.Group)], t)
	}
	return groups, nil
}

// taskARNs lists the tasks of all services at once: the cluster is the environment's own.
func (r *rollout) taskARNs(ctx context.Context, desired types.DesiredStatus) ([]string, error) {
	var arns []string
	pages := ecs.NewListTasksPaginator(r.ecs, &ecs.ListTasksInput{Cluster: aws.String(r.env.ClusterName()), DesiredStatus: desired})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list the tasks of %s: %w", r.env.ClusterName(), err)
		}
		arns = append(arns, page.TaskArns...)
	}
	return arns, nil
}

func (r *rollout) describeTasks(ctx context.Context, arns []string) ([]types.Task, error) {
	var tasks []types.Task
	for batch := range slices.Chunk(arns, tasksPerCall) {
		out, err := r.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(r.env.ClusterName()), Tasks: batch})
		if err != nil {
			return nil, fmt.Errorf("look at the tasks of %s: %w", r.env.ClusterName(), err)
		}
		tasks = append(tasks, out.Tasks...)
	}
	return tasks, nil
}

// lookAtTargets adds the service's targets; asked holds those of this look.
func (r *rollout) lookAtTargets(ctx context.Context, o *observation, asked map[string][]elbtypes.TargetHealthDescription) error {
	if o.service == nil {
		return nil
	}
	for _, balancer := range o.service.LoadBalancers {
		group := aws.ToString(balancer.TargetGroupArn)
		if _, known := asked[group]; !known {
			out, err := r.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &group})
			if err != nil {
				return fmt.Errorf("look at the targets of %s: %w", o.name, err)
			}
			asked[group] = out.TargetHealthDescriptions
		}
		o.targets = append(o.targets, asked[group]...)
	}
	return nil
}

// outOfStep returns the services that this run has not touched although their task definition has another image.
func (r *rollout) outOfStep(ctx context.Context) ([]string, error) {
	seen, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	var behind []string
	for _, o := range seen {
		if o.service == nil || o.deployment != nil || o.beginning() {
			continue
		}
		image, err := containerImage(ctx, r.ecs, aws.ToString(o.service.TaskDefinition), o.container)
		if err != nil {
			return nil, fmt.Errorf("look at the task definition of %s: %w", o.name, err)
		}
		if image != r.image.Reference {
			behind = append(behind, o.name)
		}
	}
	return behind, nil
}

// containerImage is the image of a container in a task definition, "" where there is no such container.
func containerImage(ctx context.Context, client *ecs.Client, definition, container string) (string, error) {
	out, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &definition})
	if err != nil {
		return "", err
	}
	for _, c := range out.TaskDefinition.ContainerDefinitions {
		if aws.ToString(c.Name) == container {
			return aws.ToString(c.Image), nil
		}
	}
	return "", nil
}
