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
	// before are the newest service deployments before this run changed anything, by service: they are not its own.
	before map[string]string
	// own are the service deployments that this run started, by service, as far as they are known.
	own map[string]string
}

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

// run returns the task definitions that run at the end, by service. It ends early when no waiting can help.
func (r *rollout) run(ctx context.Context, v voice) (map[string]string, error) {
	told := map[string]bool{}
	if err := r.revive(ctx, v); err != nil {
		return nil, err
	}
	var waiting []string
	var observations []observation
	for waited := time.Duration(0); waited <= r.env.Deployment.Rollout.Timeout; waited += rolloutPoll {
		var err error
		if observations, err = r.observe(ctx); err != nil {
			return nil, err
		}
		waiting = nil
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
				r.stop(ctx, o, v)
			}
		}
		if len(failed) > 0 {
			return nil, errors.Join(failed...)
		}
		if len(waiting) == 0 {
			return definitions(observations), nil
		}
		v.progress("%s", strings.Join(waiting, "; "))
		if r.clock.Wait(ctx, rolloutPoll) != nil {
			return nil, errors.New("the rollout goes on by itself")
		}
	}
	return nil, r.tooLong(ctx, observations, waiting, v)
}

// tooLong ends what is still being rolled out at the time limit, and says what it waited for in ECS's words.
func (r *rollout) tooLong(ctx context.Context, observations []observation, waiting []string, v voice) error {
	text := fmt.Sprintf("it has not ended after %s: %s", r.env.Deployment.Rollout.Timeout, strings.Join(waiting, "; "))
	for _, o := range observations {
		if judge(o, r.image.Digests).state == rolledOut {
			continue
		}
		if word := o.lastWord(); word != "" {
			text += "\n  ECS says: " + word
		}
		r.stop(ctx, o, v)
	}
	return withHint(errors.New(text), "`deployer status --env "+r.env.Stack+" --only ecs_service,target_groups` looks at it closer; "+
		"deployment.rollout.timeout in the environment's file gives it more time")
}

// revive starts a service deployment where the program had nothing to change but the service stands still after a
// failure: ECS does not try again by itself.
func (r *rollout) revive(ctx context.Context, v voice) error {
	observations, err := r.observe(ctx)
	if err != nil {
		return err
	}
	for _, o := range observations {
		if !o.stranded() {
			continue
		}
		name := aws.ToString(o.service.ServiceName)
		v.note("%s has not changed but does not run: it is started again", name)
		_, err := r.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{
			Cluster: o.service.ClusterArn, Service: o.service.ServiceName, ForceNewDeployment: true,
		})
		if err != nil {
			return fmt.Errorf("start %s again: %w", name, err)
		}
	}
	return nil
}

// stop ends a service deployment that cannot succeed, so that ECS does not go on trying until its own limit.
func (r *rollout) stop(ctx context.Context, o observation, v voice) {
	if o.deployment == nil || o.deployment.Status != types.ServiceDeploymentStatusInProgress {
		return
	}
	_, err := r.ecs.StopServiceDeployment(ctx, &ecs.StopServiceDeploymentInput{
		ServiceDeploymentArn: o.deployment.ServiceDeploymentArn, StopType: types.StopServiceDeploymentStopTypeRollback,
	})
	if err != nil {
		// ECS's circuit breaker ends it too, only later.
		v.note("the deployment of %s could not be stopped early: %v", aws.ToString(o.service.ServiceName), err)
	}
}

func definitions(observations []observation) map[string]string {
	byService := map[string]string{}
	for _, o := range observations {
		byService[aws.ToString(o.service.ServiceName)] = shortID(aws.ToString(o.service.TaskDefinition))
	}
	return byService
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
		if i < 0 {
			return nil, fmt.Errorf("the service %s does not exist", name)
		}
		o := observation{
			role: s.Role, container: r.env.ContainerName(s.Role), service: out.Services[i], deployment: deployments[r.own[name]],
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
