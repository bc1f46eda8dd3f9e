package checks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
)

// still is a clock that is stopped at now.
type still struct{ clock.Clock }

func (still) Now() time.Time { return now }

func returning(findings ...Finding) func(context.Context, *runContext) ([]Finding, error) {
	return func(context.Context, *runContext) ([]Finding, error) { return findings, nil }
}

func failing(err error) func(context.Context, *runContext) ([]Finding, error) {
	return func(context.Context, *runContext) ([]Finding, error) { return nil, err }
}

func hanging(ctx context.Context, _ *runContext) ([]Finding, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("wait: %w", ctx.Err())
}

// deaf does not even notice that its context has ended.
func deaf(t *testing.T) func(context.Context, *runContext) ([]Finding, error) {
	released := make(chan struct{})
	t.Cleanup(func() { close(released) })
	return func(context.Context, *runContext) ([]Finding, error) { <-released; return nil, nil }
}

func TestRunIsolatesChecks(t *testing.T) {
	good := newFinding("queue", "SQS-Queue-x").healthy("Flowing", "nothing waits")
	all := []Check{
		{"queue", "", returning(good)},
		{"vpc", "", failing(errors.New("the connection was lost"))},
		{"nat", "", hanging},
		{"tls", "", deaf(t)},
		{"dns", "", returning()},
		{"stack", "", failing(&omittedError{"no access"})},
	}
	report := runChecks(t.Context(), all, loaded(t, "dev"), Sources{}, Options{Timeout: 50 * time.Millisecond}, still{})

	require.Equal(t, now, report.Timestamp)
	require.Equal(t, Summary{Status: Unknown, Healthy: 1, Unknown: 4, Total: 5}, report.Summary)
	require.Equal(t, []Omission{{"stack", "no access"}}, report.Omitted)
	require.Equal(t, good, report.Services[0])
	requireVerdict(t, verdict{Unknown, "Unreachable", "the connection was lost"}, report.Services[1])
	requireVerdict(t, verdict{Unknown, "Timeout", "no response in time"}, report.Services[2])
	requireVerdict(t, verdict{Unknown, "Timeout", "no response in time"}, report.Services[3])
	requireVerdict(t, verdict{Unknown, "NoResult", "no result"}, report.Services[4])
}

// TestOneAPIHangs lets one operation never return: the run ends in time, what needs that answer is unknown and names which
// call it waited for, and everything else is judged.
func TestOneAPIHangs(t *testing.T) { synctest.Test(t, oneAPIHangs) }

func oneAPIHangs(t *testing.T) {
	cfg := answering(func(ctx context.Context, in any) (any, error) {
		switch in.(type) {
		case *ecs.DescribeClustersInput:
			<-ctx.Done()
			return nil, ctx.Err()
		case *rds.DescribeDBInstancesInput:
			return nil, apiError("DBInstanceNotFound")
		case *ec2.DescribeVpcsInput:
			return &ec2.DescribeVpcsOutput{Vpcs: []ec2types.Vpc{{State: ec2types.VpcStateAvailable, CidrBlock: aws.String("10.10.0.0/16")}}}, nil
		}
		return nil, unanswered(in)
	})
	var hung []Call
	began := time.Now()
	report := Run(t.Context(), loaded(t, "dev"), Sources{AWS: cfg}, Options{
		Only: []string{"vpc", "ecs_cluster", "database"}, Timeout: time.Second,
		Trace: func(c Call) {
			if c.Duration() > 0 {
				hung = append(hung, c)
			}
		},
	}, clock.Real())
	require.LessOrEqual(t, time.Since(began), time.Second+gracePeriod)

	of := map[string]Finding{}
	for _, f := range report.Services {
		of[f.Component] = f
	}
	requireVerdict(t, verdict{Unknown, "Timeout", "no response in time from ECS DescribeClusters"}, of["ecs_cluster"])
	requireVerdict(t, verdict{Healthy, "Available", ""}, of["vpc"])
	requireVerdict(t, verdict{Error, "DatabaseMissing", ""}, of["database"])
	require.Len(t, hung, 1, "the trace has the call that hung")
	require.ErrorIs(t, hung[0].Err, context.DeadlineExceeded)
}

func TestRunInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report := runChecks(ctx, []Check{{"nat", "", hanging}}, loaded(t, "dev"), Sources{}, Options{}, still{})
	requireVerdict(t, verdict{Unknown, "Interrupted", "interrupted"}, report.Services[0])
}

func TestRunKeepsFindingsBesideAnError(t *testing.T) {
	half := func(context.Context, *runContext) ([]Finding, error) {
		return []Finding{newFinding("dns", "a").healthy("Fine", "fine")}, errors.New("the rest is not known")
	}
	report := runChecks(t.Context(), []Check{{"dns", "", half}}, loaded(t, "dev"), Sources{}, Options{}, still{})
	require.Equal(t, Summary{Status: Unknown, Healthy: 1, Unknown: 1, Total: 2}, report.Summary)
}

func TestChoose(t *testing.T) {
	all := []Check{{Component: "a"}, {Component: "b"}, {Component: "c"}}
	for name, test := range map[string]struct {
		opt  Options
		want []string
	}{
		"all":           {Options{}, []string{"a", "b", "c"}},
		"only":          {Options{Only: []string{"c", "a"}}, []string{"a", "c"}},
		"skip":          {Options{Skip: []string{"b"}}, []string{"a", "c"}},
		"skip of only":  {Options{Only: []string{"a", "b"}, Skip: []string{"a"}}, []string{"b"}},
		"nothing is it": {Options{Only: []string{"x"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range selectChecks(all, test.opt) {
				got = append(got, c.Component)
			}
			require.Equal(t, test.want, got)
		})
	}
}

// contractComponents are the components that the contract names.
var contractComponents = []string{
	"stack", "vpc", "subnets", "nat", "security_groups", "ecs_cluster", "ecs_service", "ecs_tasks", "task_definition",
	"autoscaling", "load_balancer", "listeners", "target_groups", "certificate", "hosted_zone", "dns", "delegation",
	"database", "database_backups", "queue", "dead_letter_queue", "secrets", "image_repository", "image", "buckets",
	"alarms", "log_groups", "waf", "roles", "budget", "endpoint", "readiness", "tls", "compliance",
}

func TestComponents(t *testing.T) {
	require.ElementsMatch(t, contractComponents, Components())
	require.Equal(t, []string{"vcp"}, UnknownComponents([]string{"vpc", "vcp"}))
	for _, c := range All() {
		require.NotEmpty(t, c.Summary, c.Component)
		require.NotNil(t, c.run, c.Component)
	}
}

func TestCachedLoadsOnce(t *testing.T) {
	var m cache
	var loads atomic.Int32
	started, release := make(chan struct{}), make(chan struct{})
	load := func(context.Context) (int, error) {
		loads.Add(1)
		close(started)
		<-release
		return 7, errors.New("and yet")
	}
	type answer struct {
		n   int
		err error
	}
	answers := make(chan answer, 3)
	for range 3 {
		go func() {
			n, err := cached(t.Context(), &m, "key", load)
			answers <- answer{n, err}
		}()
	}
	<-started
	_, read := peek[int](&m, "key")
	require.False(t, read, "not read yet")

	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := cached(impatient, &m, "key", load)
	require.ErrorIs(t, err, context.Canceled)

	close(release)
	for range 3 {
		got := <-answers
		require.Equal(t, 7, got.n)
		require.EqualError(t, got.err, "and yet")
	}
	require.Equal(t, int32(1), loads.Load())
}

func TestUnknownFinding(t *testing.T) {
	client := func(err error) error {
		cfg := answering(func(context.Context, any) (any, error) { return nil, err })
		_, err = ecs.NewFromConfig(cfg).DescribeServices(context.Background(), &ecs.DescribeServicesInput{Services: []string{"x"}})
		return err
	}
	for name, test := range map[string]struct {
		err  error
		want verdict
	}{
		"denied":      {client(apiError("AccessDeniedException")), verdict{Unknown, "AccessDenied", "the permission ecs:DescribeServices is missing"}},
		"throttled":   {client(apiError("ThrottlingException")), verdict{Unknown, "Throttled", "throttled by ECS DescribeServices"}},
		"expired":     {client(apiError("ExpiredTokenException")), verdict{Unknown, "NoCredentials", "credentials were not accepted"}},
		"server":      {client(apiError("ServerException")), verdict{Unknown, "APIError", "ECS DescribeServices: ServerException: no"}},
		"timeout":     {client(context.DeadlineExceeded), verdict{Unknown, "Timeout", "no response in time from ECS DescribeServices"}},
		"unreachable": {client(errors.New("connection refused")), verdict{Unknown, "Unreachable", "connection refused"}},
		"no credentials": {client(errors.New("get identity: get credentials: failed to refresh cached credentials")),
			verdict{Unknown, "NoCredentials", "credentials were not accepted"}},
	} {
		t.Run(name, func(t *testing.T) {
			requireVerdict(t, test.want, unknownFinding("ecs_service", "ecs_service", test.err))
		})
	}
}

func TestPermission(t *testing.T) {
	require.Equal(t, "elasticloadbalancing:DescribeListeners", Permission("Elastic Load Balancing v2", "DescribeListeners"))
	require.Equal(t, "s3:ListBucket", Permission("S3", "HeadBucket"))
	require.Equal(t, "budgets:ViewBudget", Permission("Budgets", "DescribeBudget"))
}

// TestEveryCallDenied denies every call: everything is unknown with the missing permission, and nothing is healthy.
func TestEveryCallDenied(t *testing.T) {
	cfg := answering(func(context.Context, any) (any, error) { return nil, apiError("AccessDeniedException") })
	opt := Options{Skip: []string{"endpoint", "readiness", "tls", "delegation"}}
	report := Run(t.Context(), loaded(t, "production"), Sources{AWS: cfg}, opt, still{})
	require.Equal(t, report.Summary.Total, report.Summary.Unknown, "%+v", report.Services)
	judged := map[string]bool{}
	for _, f := range report.Services {
		require.Equal(t, "AccessDenied", f.Reason, f.Component)
		require.Contains(t, f.Details["permission"], ":", f.Component)
		judged[f.Component] = true
	}
	require.Len(t, judged, len(contractComponents)-len(opt.Skip)-1, "all but the stack, which is omitted")
	require.Equal(t, "stack", report.Omitted[0].Component)
}

// TestReportJSON holds the keys that scripts read.
func TestReportJSON(t *testing.T) {
	cfg := answering(func(context.Context, any) (any, error) { return nil, apiError("AccessDeniedException") })
	report := Run(t.Context(), loaded(t, "dev"), Sources{AWS: cfg}, Options{Only: []string{"queue"}}, still{})
	text, err := json.Marshal(report)
	require.NoError(t, err)
	var keys map[string]any
	require.NoError(t, json.Unmarshal(text, &keys))
	for _, key := range []string{"environment", "region", "timestamp", "summary", "services", "load_balancers", "certificates", "debugging"} {
		require.Contains(t, keys, key)
	}
	require.Equal(t, "2025-06-03T04:43:14Z", keys["timestamp"])
	require.Equal(t, []any{}, keys["load_balancers"])
	require.Equal(t, map[string]any{"stuckServices": []any{}}, keys["debugging"])
	require.Equal(t, []string{"error", "healthy", "status", "total", "unknown", "warning"}, sortedKeys(keys["summary"].(map[string]any)))
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
