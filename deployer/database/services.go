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
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// Services are the clients of the database: the environment's services, and the other tasks of its cluster.
type Services struct {
	Env     *environment.Environment
	Clock   clock.Clock
	ecs     *ecs.Client
	scaling *scaling.Client
	elb     *elb.Client
}

// NewServices returns the environment's services in an account.
func NewServices(cfg aws.Config, env *environment.Environment, c clock.Clock) Services {
	return Services{Env: env, Clock: c, ecs: ecs.NewFromConfig(cfg), scaling: scaling.NewFromConfig(cfg), elb: elb.NewFromConfig(cfg)}
}

// TaskCounts are numbers of tasks by the service's name.
type TaskCounts map[string]int32

// stopLimit is how long tasks may take to stop: they finish their requests, and have two minutes after SIGTERM.
const stopLimit = 15 * time.Minute

// servicePollInterval is the time between two calls that ask ECS for the progress.
const servicePollInterval = 10 * time.Second

// DesiredCounts returns how many tasks each service should run.
func (s Services) DesiredCounts(ctx context.Context) (TaskCounts, error) {
	services, err := s.Describe(ctx)
	if err != nil {
		return nil, err
	}
	counts := TaskCounts{}
	for _, service := range services {
		counts[aws.ToString(service.ServiceName)] = service.DesiredCount
	}
	return counts, nil
}

// Describe returns the services that exist.
func (s Services) Describe(ctx context.Context) ([]types.Service, error) {
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

// Stop scales every service to 0, suspends autoscaling, and waits until no task of the cluster runs that could write to the database.
func (s Services) Stop(ctx context.Context, progress Progress) error {
	services, err := s.Describe(ctx)
	if err != nil {
		return err
	}
	if err := s.setScalingSuspended(ctx, true); err != nil {
		return err
	}
	for _, service := range services {
		if err := s.setDesiredCount(ctx, service, 0); err != nil {
			return err
		}
	}
	for waited := time.Duration(0); waited < stopLimit; waited += servicePollInterval {
		running, err := s.RunningTasks(ctx)
		if err != nil || len(running) == 0 {
			return err
		}
		progress("waiting for %s to stop: %s", text.Plural(len(running), "task", ""), strings.Join(running, ", "))
		if err := s.Clock.Wait(ctx, servicePollInterval); err != nil {
			return err
		}
	}
	return hint.With(fmt.Errorf("tasks in %s are still running after %s", s.Env.ClusterName(), stopLimit),
		"find out what they wait for: aws ecs list-tasks --cluster "+s.Env.ClusterName()+" --region "+s.Env.Region)
}

func (s Services) setDesiredCount(ctx context.Context, service types.Service, tasks int32) error {
	if service.DesiredCount == tasks {
		return nil
	}
	_, err := s.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: service.ClusterArn, Service: service.ServiceName, DesiredCount: &tasks,
	})
	if err != nil {
		return fmt.Errorf("scale %s to %s: %w", aws.ToString(service.ServiceName), text.Plural(int(tasks), "task", ""), err)
	}
	return nil
}

// setScalingSuspended suspends or resumes autoscaling. Its bounds stay.
// Source: https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-suspend-resume-scaling.html
func (s Services) setScalingSuspended(ctx context.Context, suspended bool) error {
	for _, service := range s.Env.Services.List() {
		if service.Autoscaling == nil {
			continue
		}
		_, err := s.scaling.RegisterScalableTarget(ctx, &scaling.RegisterScalableTargetInput{
			ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
			ResourceId: aws.String("service/" + s.Env.ClusterName() + "/" + s.Env.ServiceName(service.Role)),
			SuspendedState: &scalingtypes.SuspendedState{
				DynamicScalingInSuspended: &suspended, DynamicScalingOutSuspended: &suspended, ScheduledScalingSuspended: &suspended,
			},
		})
		if err != nil {
			return fmt.Errorf("suspend or resume the autoscaling of %s: %w", s.Env.ServiceName(service.Role), err)
		}
	}
	return nil
}

// RunningTasks returns the tasks of the cluster whose containers may still run, each with what started it.
func (s Services) RunningTasks(ctx context.Context) ([]string, error) {
	var running []string
	for _, desired := range []types.DesiredStatus{types.DesiredStatusRunning, types.DesiredStatusStopped} {
		tasks, err := ecstasks.Find(ctx, s.ecs, &ecs.ListTasksInput{Cluster: aws.String(s.Env.ClusterName()), DesiredStatus: desired})
		if err != nil {
			return nil, fmt.Errorf("find the tasks of %s: %w", s.Env.ClusterName(), err)
		}
		for _, task := range tasks {
			if !checks.Ended(task) {
				running = append(running, awsx.NameFromARN(aws.ToString(task.TaskArn))+" of "+aws.ToString(task.Group))
			}
		}
	}
	return running, nil
}

// Start scales the services to their counts, resumes autoscaling, and waits until all tasks run and their targets are healthy.
func (s Services) Start(ctx context.Context, counts TaskCounts, progress Progress) error {
	err := s.scale(ctx, func(name string, _ int32) int32 { return s.minTasks(counts, name) })
	if err != nil {
		return err
	}
	if err := s.setScalingSuspended(ctx, false); err != nil {
		return err
	}
	return s.Wait(ctx, progress)
}

// Resume scales the services to the counts of the environment's file and resumes autoscaling. It does not wait for tasks.
func (s Services) Resume(ctx context.Context) error {
	if err := s.ApplyCounts(ctx); err != nil {
		return err
	}
	return s.setScalingSuspended(ctx, false)
}

// ApplyCounts scales the services to the counts of the environment's file.
func (s Services) ApplyCounts(ctx context.Context) error {
	return s.scale(ctx, func(name string, desired int32) int32 {
		for _, service := range s.Env.Services.List() {
			if s.Env.ServiceName(service.Role) == name {
				return fileCount(service, desired)
			}
		}
		return desired
	})
}

// fileCount returns how many tasks the environment's file asks of a service that has a desired count: the file's number, or the count within the
// file's bounds where autoscaling sets it.
func fileCount(service environment.Service, desired int32) int32 {
	low, high := int32(service.Tasks.Min), int32(service.Tasks.Max)
	if service.Autoscaling == nil {
		return low
	}
	return min(max(desired, low), high)
}

// scale sets the desired counts of the services.
func (s Services) scale(ctx context.Context, count func(name string, desired int32) int32) error {
	services, err := s.Describe(ctx)
	if err != nil {
		return err
	}
	for _, service := range services {
		if err := s.setDesiredCount(ctx, service, count(aws.ToString(service.ServiceName), service.DesiredCount)); err != nil {
			return err
		}
	}
	return nil
}

// Wait waits until all tasks run and their targets are healthy.
func (s Services) Wait(ctx context.Context, progress Progress) error {
	for waited := time.Duration(0); waited < s.Env.Deployment.Rollout.Timeout; waited += servicePollInterval {
		services, err := s.Describe(ctx)
		if err != nil {
			return err
		}
		pending, err := tasksPending(services)
		if err == nil && pending == "" {
			pending, err = s.unhealthyTargets(ctx, services)
		}
		if err != nil || pending == "" {
			return err
		}
		progress("%s", pending)
		if err := s.Clock.Wait(ctx, servicePollInterval); err != nil {
			return err
		}
	}
	return fmt.Errorf("the services have not started within %s", s.Env.Deployment.Rollout.Timeout)
}

// minTasks returns how many tasks a service should run: as many as before, and at least as many as the environment's file requires.
func (s Services) minTasks(before TaskCounts, name string) int32 {
	for _, service := range s.Env.Services.List() {
		if s.Env.ServiceName(service.Role) == name {
			return max(before[name], int32(service.Tasks.Min))
		}
	}
	return before[name]
}

// tasksPending returns which service does not run all its tasks yet; "" where all do.
func tasksPending(services []types.Service) (pending string, err error) {
	for _, service := range services {
		name := aws.ToString(service.ServiceName)
		for _, d := range service.Deployments {
			if d.RolloutState == types.DeploymentRolloutStateFailed {
				return "", fmt.Errorf("%s does not start: %s", name, aws.ToString(d.RolloutStateReason))
			}
		}
		if service.RunningCount < service.DesiredCount || len(service.Deployments) > 1 ||
			len(service.Deployments) == 1 && service.Deployments[0].RolloutState == types.DeploymentRolloutStateInProgress {
			return fmt.Sprintf("%s: %d of %d tasks run", name, service.RunningCount, service.DesiredCount), nil
		}
	}
	return "", nil
}

// unhealthyTargets returns which service has targets that the load balancer does not find healthy yet; "" where none has. A service
// that is scaled up from 0 has no rollout that would wait for them.
func (s Services) unhealthyTargets(ctx context.Context, services []types.Service) (pending string, err error) {
	for _, service := range services {
		for _, balancer := range service.LoadBalancers {
			out, err := s.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: balancer.TargetGroupArn})
			if err != nil {
				return "", fmt.Errorf("describe the targets of %s: %w", aws.ToString(service.ServiceName), err)
			}
			if pending := targetsPending(service, out.TargetHealthDescriptions); pending != "" {
				return pending, nil
			}
		}
	}
	return "", nil
}

// targetsPending returns how many targets of a service are healthy; "" where there are as many as tasks.
func targetsPending(service types.Service, targets []elbtypes.TargetHealthDescription) (pending string) {
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
