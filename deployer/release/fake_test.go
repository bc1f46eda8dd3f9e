package release

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go/middleware"
)

// fakeAWS returns a configuration whose calls handle answers, from their typed input.
func fakeAWS(handle func(in any) (any, error)) aws.Config {
	handler := middleware.InitializeMiddlewareFunc("Answer", func(
		ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler,
	) (out middleware.InitializeOutput, meta middleware.Metadata, err error) {
		if err := ctx.Err(); err != nil {
			return out, meta, err
		}
		out.Result, err = handle(in.Parameters)
		return out, meta, err
	})
	return aws.Config{Region: "us-east-1", APIOptions: []func(*middleware.Stack) error{func(s *middleware.Stack) error {
		return s.Initialize.Add(handler, middleware.After)
	}}}
}

// fakeClock is a clock that advances only by waits; each calls onWait.
type fakeClock struct {
	now    time.Time
	waits  []time.Duration
	onWait func()
}

func (c *fakeClock) Now() time.Time { return c.now }

func (c *fakeClock) Wait(ctx context.Context, d time.Duration) error {
	c.now, c.waits = c.now.Add(d), append(c.waits, d)
	if c.onWait != nil {
		c.onWait()
	}
	return ctx.Err()
}

// fakeECS is an ECS that returns what a test sets, and records its calls, a list for each poll.
type fakeECS struct {
	*fakeClock
	services    map[string]*types.Service
	deployments map[string]*types.ServiceDeployment
	tasks       []types.Task
	targets     []elbtypes.TargetHealthDescription
	log         []string
	// errors are answers by operation, such as ListServiceDeployments.
	errors map[string]error
	calls  [][]string
	// definitions are the migration's task definitions, the newest first, each called after its image and its role;
	// ran are the tasks that were run.
	definitions []string
	ran         []*ecs.RunTaskInput
	stopped     []string
}

const clusterARN = "arn:aws:ecs:us-east-1:123456789012:"

// newFakeECS returns staging with its three services, all on the old image, and a rollout of a new one.
func newFakeECS(t *testing.T) (*fakeECS, *ecsRollout) {
	env := staging(t)
	e := &fakeECS{
		fakeClock: &fakeClock{now: deployedAt}, services: map[string]*types.Service{}, deployments: map[string]*types.ServiceDeployment{},
		errors: map[string]error{}, calls: [][]string{nil},
	}
	for _, s := range env.Services.List() {
		name := env.ServiceName(s.Role)
		e.services[name] = &types.Service{
			ServiceName: aws.String(name), Status: aws.String("ACTIVE"), DesiredCount: 1, TaskDefinition: aws.String(name + ":1"),
			ClusterArn: aws.String(clusterARN + "cluster/c"), RunningCount: 1, Deployments: []types.Deployment{{
				Id: aws.String("ecs-svc/1"), Status: aws.String("PRIMARY"), RolloutState: types.DeploymentRolloutStateCompleted,
				RunningCount: 1, TaskDefinition: aws.String(name + ":1"),
			}},
		}
	}
	e.services[env.ServiceName("api")].LoadBalancers = []types.LoadBalancer{{TargetGroupArn: aws.String("group")}}
	r := newECSRollout(env, fakeAWS(e.handle), e, &Image{Digests: []string{newDigest}})
	e.onWait = func() { e.calls = append(e.calls, nil) }
	return e, r
}

// names returns the services' names.
func (e *fakeECS) names() []string { return slices.Sorted(maps.Keys(e.services)) }

// deploy starts a service deployment of each service.
func (e *fakeECS) deploy(id, definition string) {
	for _, name := range e.names() {
		s := e.services[name]
		arn := clusterARN + "service-deployment/c/" + name + "/" + id
		e.deployments[arn] = &types.ServiceDeployment{
			ServiceDeploymentArn: &arn, Status: types.ServiceDeploymentStatusInProgress, CreatedAt: aws.Time(e.now),
		}
		s.CurrentServiceDeployment, s.TaskDefinition = &arn, aws.String(name+":"+definition)
		for i := range s.Deployments {
			s.Deployments[i].Status = aws.String("ACTIVE")
		}
		s.Deployments = slices.Insert(s.Deployments, 0, types.Deployment{
			Id: aws.String("ecs-svc/" + id), Status: aws.String("PRIMARY"), RolloutState: types.DeploymentRolloutStateInProgress,
			TaskDefinition: s.TaskDefinition, PendingCount: 1, CreatedAt: aws.Time(e.now),
		})
	}
}

// each changes every service's primary deployment.
func (e *fakeECS) each(change func(*types.Deployment)) {
	for _, s := range e.services {
		change(&s.Deployments[0])
	}
}

// end ends all service deployments.
func (e *fakeECS) end(status types.ServiceDeploymentStatus) {
	for _, d := range e.deployments {
		d.Status, d.FinishedAt = status, aws.Time(e.now)
	}
	state := types.DeploymentRolloutStateCompleted
	if status != types.ServiceDeploymentStatusSuccessful {
		state = types.DeploymentRolloutStateFailed
	}
	for _, s := range e.services {
		s.CurrentServiceDeployment = nil
		s.Deployments[0].RolloutState, s.Deployments = state, s.Deployments[:1]
	}
}

// run starts a task of every service with an image.
func (e *fakeECS) run(digest string) {
	e.tasks = nil
	for _, name := range e.names() {
		role := strings.TrimSuffix(name[strings.LastIndex(strings.TrimSuffix(name, "-service"), "-")+1:], "-service")
		task := runningTask(digest, types.HealthStatusHealthy)
		task.TaskArn, task.Group = aws.String("task/"+name), aws.String("service:"+name)
		for i := range task.Containers {
			if aws.ToString(task.Containers[i].Name) == "balancer-api" {
				task.Containers[i].Name = aws.String("balancer-" + role)
			}
		}
		e.tasks = append(e.tasks, task)
	}
}

func (e *fakeECS) handle(in any) (any, error) {
	name := strings.TrimSuffix(strings.SplitAfter(fmt.Sprintf("%T", in), ".")[1], "Input")
	if list, is := in.(*ecs.ListTasksInput); is {
		name += " " + string(list.DesiredStatus)
	}
	e.calls[len(e.calls)-1] = append(e.calls[len(e.calls)-1], name)
	if err := e.errors[strings.Fields(name)[0]]; err != nil {
		return nil, err
	}
	switch in := in.(type) {
	case *ecs.DescribeServicesInput:
		out := &ecs.DescribeServicesOutput{}
		for _, name := range in.Services {
			s := *e.services[name]
			s.Deployments = slices.Clone(s.Deployments)
			out.Services = append(out.Services, s)
		}
		return out, nil
	case *ecs.ListServiceDeploymentsInput:
		out := &ecs.ListServiceDeploymentsOutput{}
		for arn, d := range e.deployments {
			if strings.Contains(arn, "/"+*in.Service+"/") {
				out.ServiceDeployments = append(out.ServiceDeployments, types.ServiceDeploymentBrief{ServiceDeploymentArn: &arn, CreatedAt: d.CreatedAt})
			}
		}
		return out, nil
	case *ecs.DescribeServiceDeploymentsInput:
		out := &ecs.DescribeServiceDeploymentsOutput{}
		for _, arn := range in.ServiceDeploymentArns {
			out.ServiceDeployments = append(out.ServiceDeployments, *e.deployments[arn])
		}
		return out, nil
	case *ecs.ListTasksInput:
		out := &ecs.ListTasksOutput{}
		for _, t := range e.tasks {
			if aws.ToString(t.DesiredStatus) == string(in.DesiredStatus) && (in.Family == nil || "family:"+*in.Family == aws.ToString(t.Group)) {
				out.TaskArns = append(out.TaskArns, *t.TaskArn)
			}
		}
		return out, nil
	case *ecs.DescribeTasksInput:
		out := &ecs.DescribeTasksOutput{}
		for _, t := range e.tasks {
			if slices.Contains(in.Tasks, *t.TaskArn) {
				out.Tasks = append(out.Tasks, t)
			}
		}
		return out, nil
	case *elb.DescribeTargetHealthInput:
		return &elb.DescribeTargetHealthOutput{TargetHealthDescriptions: e.targets}, nil
	case *ecs.StopServiceDeploymentInput:
		e.stopped = append(e.stopped, *in.ServiceDeploymentArn)
		return &ecs.StopServiceDeploymentOutput{}, nil
	case *cloudwatchlogs.GetLogEventsInput:
		if e.log == nil {
			return nil, &logtypes.ResourceNotFoundException{}
		}
		return e.logEvents(in), nil
	case *ecs.ListTaskDefinitionsInput:
		return &ecs.ListTaskDefinitionsOutput{TaskDefinitionArns: e.definitions}, nil
	case *ecs.DescribeTaskDefinitionInput:
		image, role, _ := strings.Cut(strings.TrimPrefix(*in.TaskDefinition, "definition/"), " as ")
		return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &types.TaskDefinition{
			TaskDefinitionArn: in.TaskDefinition, TaskRoleArn: &role,
			ContainerDefinitions: []types.ContainerDefinition{{Name: aws.String("balancer-api"), Image: &image}},
		}}, nil
	case *ecs.RunTaskInput:
		e.ran = append(e.ran, in)
		e.tasks = append(e.tasks, oneOff("new", "PROVISIONING"))
		return &ecs.RunTaskOutput{Tasks: e.tasks[len(e.tasks)-1:]}, nil
	case *ecs.StopTaskInput:
		e.stopped = append(e.stopped, *in.Task)
		return &ecs.StopTaskOutput{}, nil
	}
	return nil, fmt.Errorf("the test answers no %T", in)
}

// logEvents returns the lines of the log from the token on.
func (e *fakeECS) logEvents(in *cloudwatchlogs.GetLogEventsInput) *cloudwatchlogs.GetLogEventsOutput {
	from := 0
	if in.NextToken != nil {
		_, _ = fmt.Sscan(*in.NextToken, &from)
	} else if in.Limit != nil {
		from = max(0, len(e.log)-int(*in.Limit))
	}
	out := &cloudwatchlogs.GetLogEventsOutput{NextForwardToken: aws.String(fmt.Sprint(len(e.log)))}
	for _, line := range e.log[from:] {
		out.Events = append(out.Events, logtypes.OutputLogEvent{Message: aws.String(line)})
	}
	return out
}
