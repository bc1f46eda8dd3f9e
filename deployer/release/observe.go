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

// observe looks at the services and the service deployments of this run, and at nothing else.
func (r *ecsRollout) observe(ctx context.Context) ([]observation, error) {
	services, err := r.services(ctx)
	if err != nil {
		return nil, err
	}
	var observations []observation
	for _, s := range r.env.Services.List() {
		name := r.env.ServiceName(s.Role)
		o := observation{name: name, role: s.Role, container: r.env.ContainerName(s.Role)}
		if found, exists := services[name]; exists {
			o.service = &found
			if err := r.matchDeployment(ctx, &o); err != nil {
				return nil, err
			}
		}
		observations = append(observations, o)
	}
	return observations, r.describeDeployments(ctx, observations)
}

// services are the environment's services that are there, by name.
func (r *ecsRollout) services(ctx context.Context) (map[string]types.Service, error) {
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

// describeDeployments adds the service deployments of this run to what was seen, all in one call. What has ended is not asked for
// again.
func (r *ecsRollout) describeDeployments(ctx context.Context, observations []observation) error {
	var arns []string
	for i := range observations {
		o := &observations[i]
		t := r.trackers[o.name]
		switch {
		case o.service == nil:
		case r.deploymentsUnavailable != nil:
			o.deployment = o.deploymentFromService(t.baselineIDs)
		case t.finished != nil:
			o.deployment = t.finished
		case t.deploymentARN != "":
			arns = append(arns, t.deploymentARN)
		}
	}
	found := map[string]*types.ServiceDeployment{}
	for batch := range slices.Chunk(arns, deploymentsPerCall) {
		out, err := r.ecs.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: batch})
		if isUnavailable(err) {
			r.deploymentsUnavailable = err
			return r.describeDeployments(ctx, observations)
		}
		if err != nil {
			return fmt.Errorf("look at the service deployments: %w", err)
		}
		for i, d := range out.ServiceDeployments {
			found[aws.ToString(d.ServiceDeploymentArn)] = &out.ServiceDeployments[i]
		}
	}
	for i := range observations {
		r.trackers[observations[i].name].update(&observations[i], found)
	}
	return nil
}

// poll looks at every service once. Beyond services and deployments it asks for what matters now: the tasks that stopped
// where one was lost, targets where new tasks run, and every running task when the service deployments have ended.
func (r *ecsRollout) poll(ctx context.Context) ([]observation, error) {
	observations, err := r.observe(ctx)
	if err != nil {
		return nil, err
	}
	r.polls++
	lost := false
	for i := range observations {
		lost = r.trackers[observations[i].name].lostTask(observations[i]) || lost
	}
	if lost {
		r.stopping = true
	}
	if r.stopping {
		if err := r.pollStoppedTasks(ctx); err != nil {
			return nil, err
		}
	}
	finished := !slices.ContainsFunc(observations, func(o observation) bool { return !o.finished() })
	if finished {
		if r.running, err = r.runningTasks(ctx); err != nil {
			return nil, err
		}
	}
	targets := map[string][]elbtypes.TargetHealthDescription{}
	for i := range observations {
		o := &observations[i]
		for _, task := range r.stopped {
			if aws.ToString(task.Group) == "service:"+o.name {
				o.tasks = append(o.tasks, task)
			}
		}
		if finished {
			o.verified = true
			o.tasks = append(o.tasks, r.running["service:"+o.name]...)
		}
		if finished || o.deployment != nil && deploymentInProgress(o.deployment) && primaryDeployment(*o.service).RunningCount > 0 {
			if err := r.describeTargets(ctx, o, targets); err != nil {
				return nil, err
			}
		}
	}
	return observations, nil
}

// pollStoppedTasks describes the tasks that stopped, or are about to, and are not known yet. One that has not quite stopped
// has no exit code yet, and is looked at again.
func (r *ecsRollout) pollStoppedTasks(ctx context.Context) error {
	arns, err := r.taskARNs(ctx, types.DesiredStatusStopped)
	if err != nil {
		return err
	}
	unknown := slices.DeleteFunc(arns, func(arn string) bool { return aws.ToString(r.stopped[arn].LastStatus) == "STOPPED" })
	tasks, err := r.describeTasks(ctx, unknown)
	if err != nil {
		return err
	}
	r.stopping = false
	for _, t := range tasks {
		r.stopped[aws.ToString(t.TaskArn)] = t
		r.stopping = r.stopping || aws.ToString(t.LastStatus) != "STOPPED"
	}
	return nil
}

// runningTasks are the tasks that are to run, by the group that ECS puts them in: service:NAME.
func (r *ecsRollout) runningTasks(ctx context.Context) (map[string][]types.Task, error) {
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
func (r *ecsRollout) taskARNs(ctx context.Context, desired types.DesiredStatus) ([]string, error) {
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

func (r *ecsRollout) describeTasks(ctx context.Context, arns []string) ([]types.Task, error) {
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

// describeTargets adds the service's targets; asked holds those of this look.
func (r *ecsRollout) describeTargets(ctx context.Context, o *observation, cache map[string][]elbtypes.TargetHealthDescription) error {
	if o.service == nil {
		return nil
	}
	for _, balancer := range o.service.LoadBalancers {
		group := aws.ToString(balancer.TargetGroupArn)
		if _, cached := cache[group]; !cached {
			out, err := r.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &group})
			if err != nil {
				return fmt.Errorf("look at the targets of %s: %w", o.name, err)
			}
			cache[group] = out.TargetHealthDescriptions
		}
		o.targets = append(o.targets, cache[group]...)
	}
	return nil
}

// outdatedServices returns the services that this run has not touched although their task definition has another image.
func (r *ecsRollout) outdatedServices(ctx context.Context) ([]string, error) {
	observations, err := r.observe(ctx)
	if err != nil {
		return nil, err
	}
	var outdated []string
	for _, o := range observations {
		if o.service == nil || o.deployment != nil || o.rolloutInProgress() {
			continue
		}
		image, err := containerImage(ctx, r.ecs, aws.ToString(o.service.TaskDefinition), o.container)
		if err != nil {
			return nil, fmt.Errorf("look at the task definition of %s: %w", o.name, err)
		}
		if image != r.image.Reference {
			outdated = append(outdated, o.name)
		}
	}
	return outdated, nil
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
