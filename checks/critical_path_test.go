package checks

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

func TestCriticalPath(t *testing.T) {
	call := func(id int, milliseconds int, after ...int) Call {
		return Call{ID: id, After: after, Start: now, End: now.Add(time.Duration(milliseconds) * time.Millisecond)}
	}
	for name, test := range map[string]struct {
		trace []Call
		want  []int
	}{
		"no calls":                    {nil, nil},
		"one":                         {[]Call{call(1, 5)}, []int{1}},
		"apart":                       {[]Call{call(1, 5), call(2, 9), call(3, 7)}, []int{2}},
		"in a row":                    {[]Call{call(1, 5), call(2, 5, 1), call(3, 5, 2)}, []int{1, 2, 3}},
		"time counts, not number":     {[]Call{call(1, 1), call(2, 1, 1), call(3, 1, 2), call(4, 9)}, []int{4}},
		"the later of two":            {[]Call{call(1, 5), call(2, 9), call(3, 1, 1, 2)}, []int{2, 3}},
		"as they were answered":       {[]Call{call(3, 5, 2), call(2, 5, 1), call(1, 5)}, []int{1, 2, 3}},
		"what was not traced":         {[]Call{call(7, 5, 1), call(8, 5, 7)}, []int{7, 8}},
		"calls of others":             {[]Call{call(0, 5), call(1, 3), call(2, 3, 1), call(0, 4)}, []int{1, 2}},
		"took no time":                {[]Call{call(1, 0), call(2, 0, 1)}, []int{1}},
		"the way that is longest yet": {[]Call{call(1, 2), call(2, 3, 1), call(3, 4), call(4, 2, 3, 2), call(5, 9, 3)}, []int{3, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []int
			for _, c := range CriticalPath(test.trace) {
				got = append(got, c.ID)
			}
			require.Equal(t, test.want, got)
		})
	}
}

// TestCallsRecordTheirDependencies reads what one check needs after the other, ahead, at the same time, and from answers
// that another check asked for.
func TestCallsRecordTheirDependencies(t *testing.T) { synctest.Test(t, callsKnowWhatTheyWaitedFor) }

func callsKnowWhatTheyWaitedFor(t *testing.T) {
	cfg := answering(func(ctx context.Context, in any) (any, error) {
		if err := clock.Real().Wait(ctx, 50*time.Millisecond); err != nil {
			return nil, err
		}
		switch in.(type) {
		case *ecs.ListServicesInput:
			return &ecs.ListServicesOutput{ServiceArns: []string{"api"}}, nil
		case *ecs.DescribeServicesInput:
			return &ecs.DescribeServicesOutput{Services: []ecstypes.Service{{
				ServiceName: aws.String("v3-backend-development-api-service"), TaskDefinition: aws.String("api:1"),
			}}}, nil
		case *ecs.DescribeTaskDefinitionInput:
			return &ecs.DescribeTaskDefinitionOutput{TaskDefinition: &ecstypes.TaskDefinition{}}, nil
		case *ecs.ListTasksInput:
			return &ecs.ListTasksOutput{}, nil
		case *rds.DescribeDBInstancesInput:
			return &rds.DescribeDBInstancesOutput{DBInstances: []rdstypes.DBInstance{{
				DBInstanceArn: aws.String("arn"), MasterUserSecret: &rdstypes.MasterUserSecret{SecretArn: aws.String("arn")},
			}}}, nil
		case *rds.DescribePendingMaintenanceActionsInput:
			return &rds.DescribePendingMaintenanceActionsOutput{}, nil
		case *secretsmanager.DescribeSecretInput:
			return &secretsmanager.DescribeSecretOutput{}, nil
		case *secretsmanager.GetSecretValueInput:
			return &secretsmanager.GetSecretValueOutput{SecretString: aws.String("{}")}, nil
		}
		return nil, unanswered(in)
	})
	var trace []Call
	Run(t.Context(), loaded(t, "dev"), Sources{AWS: cfg}, Options{
		Only:  []string{"ecs_tasks", "task_definition", "database", "compliance"},
		Trace: func(c Call) { trace = append(trace, c) },
	}, still{})

	operations := map[int]string{}
	for _, c := range trace {
		operations[c.ID] = c.Operation
	}
	require.NotContains(t, operations, 0)
	require.Len(t, operations, len(trace), "each has an ID of its own")
	waited := map[string][]string{}
	for _, c := range trace {
		before := []string{}
		for _, id := range c.After {
			before = append(before, operations[id])
		}
		waited[c.Operation] = before
	}
	for operation, want := range map[string][]string{
		"ListServices": {}, "ListTasks": {}, "DescribeDBInstances": {}, "GetSecretValue": {}, "GetMetricData": {},
		"DescribeServices":                  {"ListServices"},
		"DescribeTaskDefinition":            {"DescribeServices"},
		"DescribeSecret":                    {"DescribeDBInstances"},
		"DescribePendingMaintenanceActions": {"DescribeDBInstances"},
	} {
		require.Contains(t, waited, operation)
		require.Equal(t, want, waited[operation], operation)
	}
}

func TestNothingIsTracedAfterTheRun(t *testing.T) {
	answer := make(chan struct{})
	cfg := answering(func(context.Context, any) (any, error) { <-answer; return nil, apiError("Late") })
	ended := make(chan struct{})
	reading := func(ctx context.Context, rc *runContext) ([]Finding, error) {
		go func() {
			defer close(ended)
			_, _ = readVPC(ctx, rc)
		}()
		return nil, nil
	}
	var trace []Call
	runChecks(t.Context(), []Check{{"vpc", "", reading}}, loaded(t, "dev"), Sources{AWS: cfg}, Options{
		Trace: func(c Call) { trace = append(trace, c) },
	}, still{})
	close(answer)
	<-ended
	require.Empty(t, trace)
}
