package release

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// How many services and service deployments one call describes at most.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Operations.html
const (
	servicesPerCall    = 10
	deploymentsPerCall = 20
)

// observe reads the services and the service deployments of this run, and nothing else.
func (r *ecsRollout) observe(ctx context.Context) ([]observation, error) {
	services, err := r.services(ctx)
	if err != nil {
		return nil, err
	}
	var observations []observation
	for _, s := range r.env.Services.List() {
		name := r.env.ServiceName(s.Role)
		o := observation{name: name, role: s.Role, container: r.env.ContainerName(s.Role)}
		if service, exists := services[name]; exists {
			o.service = &service
			if err := r.matchDeployment(ctx, &o); err != nil {
				return nil, err
			}
		}
		observations = append(observations, o)
	}
	return observations, r.describeDeployments(ctx, observations)
}

// services returns the environment's active services, by name.
func (r *ecsRollout) services(ctx context.Context) (map[string]types.Service, error) {
	services, err := describeServices(ctx, r.ecs, r.env)
	byName := map[string]types.Service{}
	for _, s := range services {
		if aws.ToString(s.Status) == "ACTIVE" {
			byName[aws.ToString(s.ServiceName)] = s
		}
	}
	return byName, err
}

// describeServices describes the environment's services. A cluster that does not exist has none.
func describeServices(ctx context.Context, client *ecs.Client, env *environment.Environment) ([]types.Service, error) {
	names := list.Map(env.Services.List(), func(s environment.Service) string { return env.ServiceName(s.Role) })
	var services []types.Service
	for batch := range slices.Chunk(names, servicesPerCall) {
		out, err := client.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(env.ClusterName()), Services: batch})
		if ecstasks.IsNoCluster(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("describe the services: %w", err)
		}
		services = append(services, out.Services...)
	}
	return services, nil
}

// describeDeployments adds the service deployments of this run to the observations, in one call. It does not read those that have
// finished again.
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
			return fmt.Errorf("describe the service deployments: %w", err)
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

// poll reads every service once. Beyond services and deployments it reads only what matters now: stopped tasks where one was lost,
// targets where new tasks run, and every running task once the service deployments have finished.
func (r *ecsRollout) poll(ctx context.Context) ([]observation, error) {
	observations, err := r.observe(ctx)
	if err != nil {
		return nil, err
	}
	finished := true
	for _, o := range observations {
		r.stopping = r.trackers[o.name].lostTask(o) || r.stopping
		finished = finished && o.finished()
	}
	if r.stopping {
		if err := r.pollStoppedTasks(ctx); err != nil {
			return nil, err
		}
	}
	var running map[string][]types.Task
	if finished {
		if running, err = r.runningTasks(ctx); err != nil {
			return nil, err
		}
	}
	targets := map[string][]elbtypes.TargetHealthDescription{}
	for i := range observations {
		o := &observations[i]
		group := "service:" + o.name
		for _, task := range r.stopped {
			if aws.ToString(task.Group) == group {
				o.tasks = append(o.tasks, task)
			}
		}
		o.verified = finished
		o.tasks = append(o.tasks, running[group]...)
		if finished || o.deployment != nil && deploymentInProgress(o.deployment) && checks.PrimaryDeployment(*o.service).RunningCount > 0 {
			if err := r.describeTargets(ctx, o, targets); err != nil {
				return nil, err
			}
		}
	}
	return observations, nil
}

// pollStoppedTasks describes the tasks that stopped, or are about to, and are not known yet. One that is still stopping has no exit
// code yet, and is read again.
func (r *ecsRollout) pollStoppedTasks(ctx context.Context) error {
	query := r.tasksQuery(types.DesiredStatusStopped)
	arns, err := ecstasks.List(ctx, r.ecs, query)
	unknown := slices.DeleteFunc(arns, func(arn string) bool { return aws.ToString(r.stopped[arn].LastStatus) == "STOPPED" })
	var tasks []types.Task
	if err == nil {
		tasks, err = ecstasks.Describe(ctx, r.ecs, query.Cluster, unknown)
	}
	if err != nil {
		return fmt.Errorf("read the stopped tasks of %s: %w", r.env.ClusterName(), err)
	}
	r.stopping = false
	for _, t := range tasks {
		r.stopped[aws.ToString(t.TaskArn)] = t
		r.stopping = r.stopping || aws.ToString(t.LastStatus) != "STOPPED"
	}
	return nil
}

// runningTasks returns the tasks that ECS has not asked to stop, by the group that ECS puts them in: service:NAME.
func (r *ecsRollout) runningTasks(ctx context.Context) (map[string][]types.Task, error) {
	tasks, err := ecstasks.Find(ctx, r.ecs, r.tasksQuery(types.DesiredStatusRunning))
	if err != nil {
		return nil, fmt.Errorf("read the tasks of %s: %w", r.env.ClusterName(), err)
	}
	groups := map[string][]types.Task{}
	for _, t := range tasks {
		groups[aws.ToString(t.Group)] = append(groups[aws.ToString(t.Group)], t)
	}
	return groups, nil
}

// tasksQuery selects the tasks of all services at once: the cluster is the environment's own.
func (r *ecsRollout) tasksQuery(desired types.DesiredStatus) *ecs.ListTasksInput {
	return &ecs.ListTasksInput{Cluster: aws.String(r.env.ClusterName()), DesiredStatus: desired}
}

// describeTargets adds the service's targets; cache holds those of this poll, by target group.
func (r *ecsRollout) describeTargets(ctx context.Context, o *observation, cache map[string][]elbtypes.TargetHealthDescription) error {
	for _, balancer := range o.service.LoadBalancers {
		group := aws.ToString(balancer.TargetGroupArn)
		if _, cached := cache[group]; !cached {
			out, err := r.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &group})
			if err != nil {
				return fmt.Errorf("read the target health of %s: %w", o.name, err)
			}
			cache[group] = out.TargetHealthDescriptions
		}
		o.targets = append(o.targets, cache[group]...)
	}
	return nil
}

// outdatedServices implements rolloutWatcher.
func (r *ecsRollout) outdatedServices(ctx context.Context) ([]string, error) {
	observations, err := r.observe(ctx)
	if err != nil {
		return nil, err
	}
	var outdated []string
	for _, o := range observations {
		if !o.unchanged() {
			continue
		}
		image, err := containerImage(ctx, r.ecs, aws.ToString(o.service.TaskDefinition), o.container)
		if err != nil {
			return nil, fmt.Errorf("read the task definition of %s: %w", o.name, err)
		}
		if image != r.image.Reference {
			outdated = append(outdated, o.name)
		}
	}
	return outdated, nil
}

// containerImage returns the image of a container in a task definition, "" where there is no such container.
func containerImage(ctx context.Context, client *ecs.Client, definition, container string) (string, error) {
	out, err := client.DescribeTaskDefinition(ctx, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &definition})
	if err != nil {
		return "", err
	}
	return imageIn(out.TaskDefinition, container), nil
}

func imageIn(definition *types.TaskDefinition, container string) string {
	found := list.Find(definition.ContainerDefinitions, func(c types.ContainerDefinition) bool { return aws.ToString(c.Name) == container })
	if found == nil {
		return ""
	}
	return aws.ToString(found.Image)
}
