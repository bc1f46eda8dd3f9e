package checks

import (
	"context"
	"fmt"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

// The large environment: a cluster with so many services and tasks, each call to which takes so long.
const (
	manyServices = 1000
	manyTasks    = 5000
	latency      = 50 * time.Millisecond
)

// TestLargeEnvironment counts calls: they grow with services/10 and tasks/100, no call is repeated, and no more run
// at once than allowed. The time passes in a bubble, so that it is the calls' alone: the critical path of those
// that waited for each other, and the rest by as many at once as allowed.
func TestLargeEnvironment(t *testing.T) { synctest.Test(t, largeEnvironment) }

func largeEnvironment(t *testing.T) {
	const limit = 4
	var under, most atomic.Int32
	cfg := answering(func(ctx context.Context, in any) (any, error) {
		at := under.Add(1)
		defer under.Add(-1)
		for seen := most.Load(); at > seen && !most.CompareAndSwap(seen, at); seen = most.Load() {
		}
		return environmentOf(ctx, in)
	})
	calls := map[string]int{}
	var trace []Call
	began := time.Now()
	report := runOfServices(t, cfg, limit, func(c Call) {
		calls[c.Operation]++
		trace = append(trace, c)
	})
	took := time.Since(began)

	require.Equal(t, manyServices+2+2, report.Summary.Total, "all services, the environment's own two, and their tasks")
	require.Equal(t, manyServices/100, calls["ListServices"])
	require.Equal(t, manyServices/10, calls["DescribeServices"])
	require.Equal(t, manyTasks/100+1, calls["ListTasks"], "running ones in pages, stopped ones in one")
	require.Equal(t, manyTasks/100, calls["DescribeTasks"])
	require.LessOrEqual(t, most.Load(), int32(limit))

	chain := CriticalPath(trace)
	require.Len(t, chain, manyTasks/100+1, "the pages of tasks, and describing those of the last")
	require.LessOrEqual(t, took, length(chain)+length(trace)/limit)
}

// BenchmarkLargeEnvironment reads the large environment in real time, and reports how long that takes and how much memory.
func BenchmarkLargeEnvironment(b *testing.B) {
	const mib = 1 << 20
	for b.Loop() {
		var trace []Call
		var peak uint64
		began := time.Now()
		runOfServices(b, answering(environmentOf), 0, func(c Call) {
			trace = append(trace, c)
			peak = max(peak, memoryInUse())
		})
		took := time.Since(began)
		peak = max(peak, memoryInUse())
		bound := length(CriticalPath(trace)) + length(trace)/defaultConcurrency
		b.ReportMetric(float64(len(trace)), "calls")
		b.ReportMetric(took.Seconds()/bound.Seconds(), "time/bound")
		b.ReportMetric(float64(peak/mib), "peak-MiB")
		if peak > 200*mib {
			b.Errorf("it took %d MiB of memory, and 200 are allowed", peak/mib)
		}
	}
}

// runOfServices judges the services and tasks of a large environment.
func runOfServices(t testing.TB, cfg aws.Config, limit int, trace func(Call)) Report {
	return Run(t.Context(), loaded(t, "dev"), Sources{AWS: cfg}, Options{
		Only: []string{"ecs_service", "ecs_tasks"}, Concurrency: limit, Trace: trace,
	}, clock.Real())
}

// length returns how long the calls took together.
func length(calls []Call) (sum time.Duration) {
	for _, c := range calls {
		sum += c.Duration()
	}
	return sum
}

// memoryInUse returns the memory that the program has of the system, in bytes, without what it released.
func memoryInUse() uint64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

// environmentOf answers as the large environment, in its own time.
func environmentOf(ctx context.Context, in any) (any, error) {
	if err := clock.Real().Wait(ctx, latency); err != nil {
		return nil, err
	}
	switch in := in.(type) {
	case *ssm.GetParameterInput:
		return nil, &ssmtypes.ParameterNotFound{}
	case *ecs.ListServicesInput:
		arns, next := page("svc", manyServices, aws.ToString(in.NextToken))
		return &ecs.ListServicesOutput{ServiceArns: arns, NextToken: next}, nil
	case *ecs.ListTasksInput:
		if in.DesiredStatus == ecstypes.DesiredStatusStopped {
			return &ecs.ListTasksOutput{}, nil
		}
		arns, next := page("task", manyTasks, aws.ToString(in.NextToken))
		return &ecs.ListTasksOutput{TaskArns: arns, NextToken: next}, nil
	case *ecs.DescribeServicesInput:
		out := &ecs.DescribeServicesOutput{}
		for _, name := range in.Services {
			out.Services = append(out.Services, serviceOfMany(name))
		}
		return out, nil
	case *ecs.DescribeTasksInput:
		out := &ecs.DescribeTasksOutput{}
		for _, arn := range in.Tasks {
			out.Tasks = append(out.Tasks, taskOfMany(arn))
		}
		return out, nil
	}
	return nil, unanswered(in)
}

// serviceOfMany returns a healthy service with as many events as ECS keeps.
func serviceOfMany(name string) ecstypes.Service {
	s := ecstypes.Service{
		ServiceName: aws.String(name), Status: aws.String("ACTIVE"), DesiredCount: 5, RunningCount: 5,
		Deployments: []ecstypes.Deployment{{Id: aws.String("ecs-svc/" + name), Status: aws.String("PRIMARY"), RolloutState: ecstypes.DeploymentRolloutStateCompleted}},
	}
	for i := range 100 {
		s.Events = append(s.Events, ecstypes.ServiceEvent{
			Id: aws.String(fmt.Sprintf("%s-%036d", name, i)), CreatedAt: ago(time.Hour),
			Message: aws.String(fmt.Sprintf("(service %s) has reached a steady state, event %d.", name, i)),
		})
	}
	return s
}

// taskOfMany returns a running task, about as large as real ones.
func taskOfMany(arn string) ecstypes.Task {
	text := func(what string) *string {
		return aws.String(fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:%s/%s", what, arn))
	}
	task := ecstypes.Task{
		TaskArn: aws.String(arn), Group: aws.String("service:svc-0000"), LastStatus: aws.String("RUNNING"), StartedAt: ago(time.Hour),
		ClusterArn: text("cluster"), TaskDefinitionArn: text("task-definition"), StartedBy: text("deployment"), AvailabilityZone: text("zone"),
	}
	for _, name := range []string{"balancer-api", "xray-daemon"} {
		task.Containers = append(task.Containers, ecstypes.Container{
			Name: aws.String(name), ContainerArn: text("container"), Image: text("image"), ImageDigest: text("digest"), RuntimeId: text("runtime"),
			NetworkInterfaces: []ecstypes.NetworkInterface{{AttachmentId: text("attachment"), PrivateIpv4Address: aws.String("10.0.0.1")}},
		})
	}
	for _, name := range []string{"subnetId", "networkInterfaceId", "macAddress", "privateDnsName", "privateIPv4Address"} {
		task.Attachments = append(task.Attachments, ecstypes.Attachment{
			Id: text("attachment"), Details: []ecstypes.KeyValuePair{{Name: aws.String(name), Value: text(name)}},
		})
	}
	return task
}

// page returns one page of a hundred names, the token being where it begins.
func page(prefix string, total int, token string) ([]string, *string) {
	from := 0
	_, _ = fmt.Sscan(token, &from)
	var names []string
	for i := from; i < min(from+100, total); i++ {
		names = append(names, fmt.Sprintf("%s-%04d", prefix, i))
	}
	if from+100 >= total {
		return names, nil
	}
	return names, aws.String(fmt.Sprint(from + 100))
}
