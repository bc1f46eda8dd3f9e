package database

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	scaling "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
)

// Services are whoever talks to the database: the environment's services, and whatever else runs in its cluster.
type Services struct {
	Env     *environment.Environment
	Clock   clock.Clock
	ecs     *ecs.Client
	scaling *scaling.Client
	elb     *elb.Client
}

// NewServices are the environment's services in an account.
func NewServices(cfg aws.Config, env *environment.Environment, c clock.Clock) Services {
	return Services{Env: env, Clock: c, ecs: ecs.NewFromConfig(cfg), scaling: scaling.NewFromConfig(cfg), elb: elb.NewFromConfig(cfg)}
}

// TaskCounts are how many tasks each service is to have, by the service's name.
type TaskCounts map[string]int32

// stopLimit is how long tasks may take to end: they finish their requests, and have two minutes after SIGTERM.
const stopLimit = 15 * time.Minute

// servicePollInterval is how often ECS is asked how far it is.
const servicePollInterval = 10 * time.Second

// DesiredCounts is how many tasks each service is to have now.
func (s Services) DesiredCounts(ctx context.Context) (TaskCounts, error) {
	found, err := s.describe(ctx)
	if err != nil {
		return nil, err
	}
	wanted := TaskCounts{}
	for _, service := range found {
		wanted[aws.ToString(service.ServiceName)] = service.DesiredCount
	}
	return wanted, nil
}

func (s Services) describe(ctx context.Context) ([]types.Service, error) {
	var names []string
	for _, service := range s.Env.Services.List() {
		names = append(names, s.Env.ServiceName(service.Role))
	}
	out, err := s.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(s.Env.ClusterName()), Services: names})
	if err != nil {
		return nil, fmt.Errorf("describe the services of %s: %w", s.Env.ClusterName(), err)
	}
	return slices.DeleteFunc(out.Services, func(s types.Service) bool { return aws.ToString(s.Status) == "INACTIVE" }), nil
}

// Stop lets every service have no task, keeps autoscaling from starting any, and waits until nothing runs in the cluster:
// then nobody is left who could write to the database.
func (s Services) Stop(ctx context.Context, say Progress) error {
	found, err := s.describe(ctx)
	if err != nil {
		return err
	}
	if err := s.setScalingSuspended(ctx, true); err != nil {
		return err
	}
	for _, service := range found {
		if err := s.setDesiredCount(ctx, service, 0); err != nil {
			return err
		}
	}
	for waited := time.Duration(0); waited < stopLimit; waited += servicePollInterval {
		running, err := s.RunningTasks(ctx)
		if err != nil || len(running) == 0 {
			return err
		}
		say("%s still to end: %s", count(len(running), "task has", "tasks have"), strings.Join(running, ", "))
		if err := s.Clock.Wait(ctx, servicePollInterval); err != nil {
			return err
		}
	}
	return hint.With(fmt.Errorf("after %s there are still tasks in %s", stopLimit, s.Env.ClusterName()),
		"see what they wait for: aws ecs list-tasks --cluster "+s.Env.ClusterName()+" --region "+s.Env.Region)
}

// setDesiredCount asks ECS for so many tasks of a service, where it is not asked for them already.
func (s Services) setDesiredCount(ctx context.Context, service types.Service, tasks int32) error {
	if service.DesiredCount == tasks {
		return nil
	}
	_, err := s.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: service.ClusterArn, Service: service.ServiceName, DesiredCount: &tasks,
	})
	if err != nil {
		return fmt.Errorf("ask for %d tasks of %s: %w", tasks, aws.ToString(service.ServiceName), err)
	}
	return nil
}

// setScalingSuspended lets autoscaling pause, or go on. The bounds stay.
// Source: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-suspend-resume-scaling.html
func (s Services) setScalingSuspended(ctx context.Context, pause bool) error {
	for _, service := range s.Env.Services.List() {
		if service.Autoscaling == nil {
			continue
		}
		_, err := s.scaling.RegisterScalableTarget(ctx, &scaling.RegisterScalableTargetInput{
			ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
			ResourceId: aws.String("service/" + s.Env.ClusterName() + "/" + s.Env.ServiceName(service.Role)),
			SuspendedState: &scalingtypes.SuspendedState{
				DynamicScalingInSuspended: &pause, DynamicScalingOutSuspended: &pause, ScheduledScalingSuspended: &pause,
			},
		})
		if err != nil {
			return fmt.Errorf("pause or resume the autoscaling of %s: %w", s.Env.ServiceName(service.Role), err)
		}
	}
	return nil
}

// RunningTasks are the tasks in the cluster whose containers may still run, each with what started it.
func (s Services) RunningTasks(ctx context.Context) ([]string, error) {
	var running []string
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		pages := ecs.NewListTasksPaginator(s.ecs, &ecs.ListTasksInput{Cluster: aws.String(s.Env.ClusterName()), DesiredStatus: desired})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("list the tasks of %s: %w", s.Env.ClusterName(), err)
			}
			if len(page.TaskArns) == 0 {
				continue
			}
			out, err := s.ecs.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(s.Env.ClusterName()), Tasks: page.TaskArns})
			if err != nil {
				return nil, fmt.Errorf("describe the tasks of %s: %w", s.Env.ClusterName(), err)
			}
			for _, task := range out.Tasks {
				if !checks.Ended(task) {
					arn := aws.ToString(task.TaskArn)
					running = append(running, fmt.Sprintf("%s of %s", arn[strings.LastIndexByte(arn, '/')+1:], aws.ToString(task.Group)))
				}
			}
		}
	}
	return running, nil
}

// Start gives the services their tasks again, lets autoscaling go on, and waits until all of them run and the load balancer finds
// them healthy.
func (s Services) Start(ctx context.Context, wanted TaskCounts, say Progress) error {
	found, err := s.describe(ctx)
	if err != nil {
		return err
	}
	for _, service := range found {
		if err := s.setDesiredCount(ctx, service, s.minTasks(wanted, aws.ToString(service.ServiceName))); err != nil {
			return err
		}
	}
	if err := s.setScalingSuspended(ctx, false); err != nil {
		return err
	}
	for waited := time.Duration(0); waited < s.Env.Deployment.Rollout.Timeout; waited += servicePollInterval {
		found, err := s.describe(ctx)
		if err != nil {
			return err
		}
		waiting, err := tasksPending(found)
		if err == nil && waiting == "" {
			waiting, err = s.pendingTargets(ctx, found)
		}
		if err != nil || waiting == "" {
			return err
		}
		say("%s", waiting)
		if err := s.Clock.Wait(ctx, servicePollInterval); err != nil {
			return err
		}
	}
	return fmt.Errorf("the services are not up after %s", s.Env.Deployment.Rollout.Timeout)
}

// pendingTargets says which service the load balancer does not find healthy yet; "" where it finds all. A service that had no tasks has
// no rollout that would wait for it.
func (s Services) pendingTargets(ctx context.Context, services []types.Service) (waiting string, err error) {
	for _, service := range services {
		for _, balancer := range service.LoadBalancers {
			out, err := s.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: balancer.TargetGroupArn})
			if err != nil {
				return "", fmt.Errorf("look at the targets of %s: %w", aws.ToString(service.ServiceName), err)
			}
			if waiting := targetsPending(service, out.TargetHealthDescriptions); waiting != "" {
				return waiting, nil
			}
		}
	}
	return "", nil
}

// targetsPending judges the targets of a service: what they wait for, "" where as many are healthy as there are tasks.
func targetsPending(service types.Service, targets []elbtypes.TargetHealthDescription) (waiting string) {
	healthy := int32(0)
	for _, t := range targets {
		if t.TargetHealth != nil && t.TargetHealth.State == elbtypes.TargetHealthStateEnumHealthy {
			healthy++
		}
	}
	if healthy < service.RunningCount {
		return fmt.Sprintf("%s: %d of %d targets are healthy", aws.ToString(service.ServiceName), healthy, service.RunningCount)
	}
	return ""
}

// minTasks is how many tasks a service is to have: as many as before, and never less than its file says.
func (s Services) minTasks(wanted TaskCounts, name string) int32 {
	for _, service := range s.Env.Services.List() {
		if s.Env.ServiceName(service.Role) == name {
			return max(wanted[name], int32(service.Tasks.Min))
		}
	}
	return wanted[name]
}

// tasksPending judges services that were started: what they wait for, "" where all of them run what they are to run.
func tasksPending(services []types.Service) (waiting string, err error) {
	for _, service := range services {
		name := aws.ToString(service.ServiceName)
		for _, d := range service.Deployments {
			if d.RolloutState == types.DeploymentRolloutStateFailed {
				return "", fmt.Errorf("%s does not come up: %s", name, aws.ToString(d.RolloutStateReason))
			}
		}
		if service.RunningCount < service.DesiredCount || len(service.Deployments) > 1 ||
			len(service.Deployments) == 1 && service.Deployments[0].RolloutState == types.DeploymentRolloutStateInProgress {
			return fmt.Sprintf("%s: %d of %d tasks run", name, service.RunningCount, service.DesiredCount), nil
		}
	}
	return "", nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
