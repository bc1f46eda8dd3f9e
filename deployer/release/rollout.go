package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

// rolloutPoll is how often the services are looked at while they change.
const rolloutPoll = 5 * time.Second

// rollout watches the services until what was asked for runs, or cannot.
type rollout struct {
	env   *environment.Environment
	ecs   *ecs.Client
	elb   *elb.Client
	logs  *cloudwatchlogs.Client
	clock clock.Clock
	image *Image
	// since is when this run began to change services: service deployments before it are not its own.
	since time.Time
}

// run returns the task definitions that run at the end, by service. It ends early when no waiting can help.
func (r *rollout) run(ctx context.Context, v voice) (map[string]string, error) {
	told := map[string]bool{}
	for waited := time.Duration(0); waited <= r.env.Deployment.Rollout.Timeout; waited += rolloutPoll {
		observations, err := r.observe(ctx)
		if err != nil {
			return nil, err
		}
		var waiting []string
		var failed []error
		for _, o := range observations {
			r.tellStopped(ctx, o, told, v)
			verdict := judge(o, r.image.Digests)
			switch verdict.state {
			case rolledOut:
			case stillRolling:
				waiting = append(waiting, verdict.message)
			case rolloutFailed:
				failed = append(failed, r.explain(ctx, o, verdict))
			}
		}
		if len(failed) > 0 {
			return nil, errors.Join(failed...)
		}
		if len(waiting) == 0 {
			return definitions(observations), nil
		}
		v.progress("%s", strings.Join(waiting, "; "))
		if err := r.clock.Wait(ctx, rolloutPoll); err != nil {
			return nil, fmt.Errorf("the rollout goes on by itself: %w", err)
		}
	}
	return nil, withHint(fmt.Errorf("it has not ended after %s", r.env.Deployment.Rollout.Timeout),
		"`deployer status --env "+r.env.Stack+" --only ecs_service,target_groups` says what it waits for")
}

func definitions(observations []observation) map[string]string {
	byService := map[string]string{}
	for _, o := range observations {
		byService[aws.ToString(o.service.ServiceName)] = shortID(aws.ToString(o.service.TaskDefinition))
	}
	return byService
}

// observe looks at every service once: one call for the services, then for each its deployment, tasks and targets.
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
	var observations []observation
	for _, s := range r.env.Services.List() {
		name := r.env.ServiceName(s.Role)
		i := slices.IndexFunc(out.Services, func(found types.Service) bool {
			return aws.ToString(found.ServiceName) == name && aws.ToString(found.Status) == "ACTIVE"
		})
		if i < 0 {
			return nil, fmt.Errorf("the service %s does not exist", name)
		}
		o := observation{role: s.Role, container: r.env.ContainerName(s.Role), service: out.Services[i]}
		if o.deployment, err = r.deployment(ctx, o.service); err != nil {
			return nil, err
		}
		if o.tasks, err = r.tasks(ctx, name); err != nil {
			return nil, err
		}
		if o.targets, err = r.targets(ctx, o.service); err != nil {
			return nil, err
		}
		observations = append(observations, o)
	}
	return observations, nil
}

// deployment returns the service deployment that this run started, or nil where nothing had to be rolled out.
func (r *rollout) deployment(ctx context.Context, service types.Service) (*types.ServiceDeployment, error) {
	list, err := r.ecs.ListServiceDeployments(ctx, &ecs.ListServiceDeploymentsInput{
		Cluster: service.ClusterArn, Service: service.ServiceArn, CreatedAt: &types.CreatedAt{After: &r.since},
	})
	if err != nil {
		return nil, fmt.Errorf("list the deployments of %s: %w", aws.ToString(service.ServiceName), err)
	}
	if len(list.ServiceDeployments) == 0 {
		return nil, nil
	}
	newest := slices.MaxFunc(list.ServiceDeployments, func(a, b types.ServiceDeploymentBrief) int {
		return aws.ToTime(a.CreatedAt).Compare(aws.ToTime(b.CreatedAt))
	})
	out, err := r.ecs.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{
		ServiceDeploymentArns: []string{aws.ToString(newest.ServiceDeploymentArn)},
	})
	if err != nil {
		return nil, fmt.Errorf("look at the deployment of %s: %w", aws.ToString(service.ServiceName), err)
	}
	if len(out.ServiceDeployments) != 1 {
		return nil, fmt.Errorf("the deployment %s of %s is gone", shortID(aws.ToString(newest.ServiceDeploymentArn)), aws.ToString(service.ServiceName))
	}
	return &out.ServiceDeployments[0], nil
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

// tellStopped says, once a task, why tasks of this deployment stopped.
func (r *rollout) tellStopped(ctx context.Context, o observation, told map[string]bool, v voice) {
	for _, stopped := range o.failures() {
		arn := aws.ToString(stopped.task.TaskArn)
		if told[arn] {
			continue
		}
		told[arn] = true
		v.warn("task %s of %s stopped: %s", shortID(arn), aws.ToString(o.service.ServiceName), stopped.cause.Message)
		if line := r.lastLog(ctx, o.role, arn, 1); line != "" {
			v.note("  its last words: %s", line)
		}
	}
}

// explain is the error of a service that failed: the verdict, why tasks stopped, and their last words.
func (r *rollout) explain(ctx context.Context, o observation, failure verdict) error {
	failures := o.failures()
	if len(failures) == 0 {
		return withHint(errors.New(failure.message), "`deployer status --env "+r.env.Stack+"` looks at everything around it")
	}
	last := failures[len(failures)-1]
	text := fmt.Sprintf("%s\n  %d tasks stopped, the last one: %s", failure.message, len(failures), last.cause.Message)
	if words := r.lastLog(ctx, o.role, aws.ToString(last.task.TaskArn), logTail); words != "" {
		text += "\n  its last log lines:\n    " + strings.ReplaceAll(words, "\n", "\n    ")
	}
	return withHint(errors.New(text), last.cause.Hint.Solution)
}

func (r *rollout) lastLog(ctx context.Context, role environment.Role, taskARN string, lines int32) string {
	out, err := r.logs.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
		LogGroupName: aws.String(r.env.LogGroupName()), LogStreamName: aws.String(LogStream(r.env, role, taskARN)), Limit: &lines,
	})
	if err != nil {
		// A task that never started has no log; its reason says more.
		return ""
	}
	var words []string
	for _, event := range out.Events {
		words = append(words, strings.TrimRight(aws.ToString(event.Message), "\n"))
	}
	return strings.Join(words, "\n")
}
