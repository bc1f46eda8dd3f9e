package bake

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
	"github.com/balancer/v3-backend-infra/local/cloud"
)

// testClock passes only while something waits on it. speed is how many seconds of waiting pass in one of its time of day.
type testClock struct {
	now   time.Time
	speed int
}

func (c *testClock) Now() time.Time { return c.now }

func (c *testClock) Speed() int { return c.speed }

func (c *testClock) Wait(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d / time.Duration(c.speed))
	return ctx.Err()
}

const (
	cluster    = "v3-backend-staging-cluster"
	groupARN   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/v3-backend-staging-api-tg/73e2d6bc24d8a067"
	balancer   = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/v3-backend-staging-alb/50dc6c495c0c9188"
	oldImage   = "1.41.7-9f8e7d6c5"
	newImage   = "1.41.8-abc123def"
	apiAlarm   = "v3-backend-staging-api-5xx"
	otherAlarm = "v3-backend-staging-db-cpu"
)

// An environment holds a simulated account in which one service runs behind a load balancer.
type environment struct {
	*testing.T
	clock *testClock
	path  string
}

func newEnvironment(t *testing.T, speed int) *environment {
	return &environment{t, &testClock{now: time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC), speed: speed}, filepath.Join(t.TempDir(), "account.json")}
}

// open opens the account with faults.
func (e *environment) open(faults ...string) *cloud.Account {
	e.Helper()
	account, err := cloud.Open(e.path, cloud.Options{
		AccountID: "123456789012", Region: "us-east-1", Clock: e.clock, Speed: e.clock.speed, Faults: faults, Environment: "staging",
		Stacks: []cloud.Stack{{Name: "staging"}},
	})
	require.NoError(e, err)
	e.Cleanup(func() { require.NoError(e, account.Close()) })
	return account
}

// deploy lets the service run the image, and waits until its tasks have been started.
func (e *environment) deploy(account *cloud.Account, revision int, image string) {
	e.Helper()
	containers, err := json.Marshal([]map[string]any{{
		"name": "balancer-api", "essential": true, "image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/balancer-api:" + image,
	}})
	require.NoError(e, err)
	definition := fmt.Sprintf("arn:aws:ecs:us-east-1:123456789012:task-definition/v3-backend-staging-api:%d", revision)
	require.NoError(e, account.Update(func(s *cloud.State) error {
		put := func(typ, id string, outputs map[string]any) {
			if r := s.Get(typ, id); r != nil {
				r.Inputs, r.Outputs = outputs, outputs
				return
			}
			s.Resources[typ+"::"+id] = &cloud.Resource{Type: typ, ID: id, Inputs: outputs, Outputs: outputs, Created: e.clock.now}
		}
		put("aws:ecr/repository:Repository", "balancer-api", map[string]any{"name": "balancer-api"})
		put("aws:ec2/subnet:Subnet", "subnet-1", map[string]any{"cidrBlock": "10.20.1.0/24"})
		put("aws:ecs/cluster:Cluster", "cluster", map[string]any{"name": cluster})
		put("aws:lb/loadBalancer:LoadBalancer", balancer, map[string]any{"arn": balancer, "name": "v3-backend-staging-alb",
			"arnSuffix": "app/v3-backend-staging-alb/50dc6c495c0c9188"})
		put("aws:lb/targetGroup:TargetGroup", groupARN, map[string]any{"arn": groupARN, "name": "v3-backend-staging-api-tg",
			"arnSuffix": "targetgroup/v3-backend-staging-api-tg/73e2d6bc24d8a067", "deregistrationDelay": 30.0})
		put("aws:lb/listener:Listener", "https", map[string]any{"loadBalancerArn": balancer,
			"defaultActions": []any{map[string]any{"type": "forward", "targetGroupArn": groupARN}}})
		for _, name := range []string{apiAlarm, otherAlarm} {
			put("aws:cloudwatch/metricAlarm:MetricAlarm", name, map[string]any{"name": name, "tagsAll": map[string]any{"Environment": name}})
		}
		put("aws:ecs/taskDefinition:TaskDefinition", definition, map[string]any{"arn": definition, "family": "v3-backend-staging-api",
			"revision": float64(revision), "containerDefinitions": string(containers), "networkMode": "awsvpc", "cpu": "512", "memory": "1024"})
		put("aws:ecs/service:Service", "arn:aws:ecs:us-east-1:123456789012:service/"+cluster+"/"+service, map[string]any{
			"name": service, "cluster": cluster, "taskDefinition": definition, "desiredCount": 1.0,
			"networkConfiguration": map[string]any{"subnets": []any{"subnet-1"}},
			"loadBalancers":        []any{map[string]any{"targetGroupArn": groupARN, "containerPort": 3000.0}},
		})
		return nil
	}))
}

// wait lets time pass.
func (e *environment) wait(d time.Duration) { require.NoError(e, e.clock.Wait(e.Context(), d)) }

func (e *environment) target() BakeTarget {
	return BakeTarget{
		Cluster: cluster, Services: []string{service}, TargetGroup: "v3-backend-staging-api-tg", LoadBalancer: "v3-backend-staging-alb",
		Alarms: []string{apiAlarm, otherAlarm}, Since: e.clock.now, For: 5 * time.Minute,
	}
}

// bake deploys the new image over the old one, under faults that begin with it, and returns what the bake after the rollout
// finds, how long it took and what it reported.
func (e *environment) bake(faults ...string) (verdict Verdict, took time.Duration, progress []string) {
	e.Helper()
	e.deploy(e.open(), 1, oldImage)
	e.wait(2 * time.Hour)
	account := e.open(faults...)
	target := e.target()
	e.wait(10 * time.Second)
	e.deploy(account, 2, newImage)
	e.wait(100 * time.Second)
	began := e.clock.now
	cfg := account.Config("us-east-1")
	cfg.Retryer = func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Nanosecond) }
	verdict, err := (&Watcher{AWS: cfg, Clock: e.clock}).Watch(e.Context(), target, func(line string) { progress = append(progress, line) })
	require.NoError(e, err)
	return verdict, e.clock.now.Sub(began) * time.Duration(e.clock.speed), progress
}

// TestWatch bakes in a simulated account, at AWS's speed and at that of local mode.
func TestWatch(t *testing.T) {
	for _, speed := range []int{1, 60} {
		for name, tc := range map[string]struct {
			faults []string
			// kinds are those that the evidence may have, none where the version is healthy. The evidence, or each of the
			// warnings, matches text.
			kinds    []string
			text     string
			warnings int
		}{
			"healthy":                 {nil, nil, "", 0},
			"throttled":               {[]string{"api-throttled"}, nil, "", 0},
			"alarm before":            {[]string{"alarm"}, nil, `^alarm v3-backend-staging-(api-5xx|db-cpu) was in alarm before the rollout and is not judged: Threshold Crossed`, 2},
			"access denied":           {[]string{"access-denied"}, nil, `^the (alarms|metrics) could not be read, and so not judged: operation error CloudWatch: .*AccessDenied`, 2},
			"late-errors":             {[]string{"late-errors"}, []string{KindErrors}, `^5xx: \d+ of \d+ requests \(.* %\) in the last [23] minutes; \d+ of 1\d{4} requests \(0.* %\) in the hour before; the limit was \d+`, 0},
			"memory-leak":             {[]string{"memory-leak"}, []string{KindTask, KindMemory}, `^(task [0-9a-f]{8} of ` + service + ` stopped: the container ran out of memory \(of 1024 MiB; \d+ % (in the same minute|\d minutes? before)\)|memory: a task of ` + service + ` used .*; the limit is 90 %)`, 0},
			"slow-responses":          {[]string{"slow-responses"}, []string{KindLatency}, `^latency: p95 at least 3\d{3} ms in each of the last 3 minutes; at most 4\d ms in 19 of 20 minutes of the hour before; the limit is 1000 ms`, 0},
			"throttled, later errors": {[]string{"late-errors", "api-throttled"}, []string{KindErrors}, "^5xx: ", 0},
		} {
			t.Run(fmt.Sprintf("%s at speed %d", name, speed), func(t *testing.T) {
				verdict, took, progress := newEnvironment(t, speed).bake(tc.faults...)
				t.Logf("after %s: %+v", took, verdict)
				require.LessOrEqual(t, took, 5*time.Minute+time.Minute+metricsDelay+pollInterval)
				require.Contains(t, progress, "0s of 5m00s watched, waiting for the first metrics, which take 3m00s")
				if tc.kinds != nil {
					require.True(t, verdict.Failed)
					require.Contains(t, tc.kinds, verdict.Evidence[0].Kind)
					require.Regexp(t, tc.text, verdict.Evidence[0].Text)
					return
				}
				require.False(t, verdict.Failed)
				require.GreaterOrEqual(t, took, 5*time.Minute+metricsDelay)
				require.Len(t, verdict.Warnings, tc.warnings)
				require.Equal(t, map[bool]string{true: "the alarms and the metrics"}[name == "access denied"], verdict.Unjudged)
				for _, warning := range verdict.Warnings {
					require.Regexp(t, tc.text, warning)
				}
				if name != "access denied" {
					require.Contains(t, strings.Join(progress, "\n"), "5m00s of 5m00s watched, waiting for the metrics of the last minute; 5xx: ")
					require.Regexp(t, `^5xx: \d of \d{3,4} requests \(0.* %\), p95 at most [34]\d ms, memory at most [56]\d % in [34] minutes$`, verdict.Summary)
				}
			})
		}
	}
}

// TestWatchAfterAFailure deploys a version that fails like the one before, which served until shortly before: its errors are not what the bake
// is compared with.
func TestWatchAfterAFailure(t *testing.T) {
	for _, speed := range []int{1, 60} {
		e := newEnvironment(t, speed)
		e.deploy(e.open(), 1, oldImage)
		e.wait(2 * time.Hour)
		failed := Period{From: e.clock.now}
		account := e.open("late-errors")
		e.deploy(account, 2, newImage)
		e.wait(20 * time.Minute)
		require.NoError(t, account.View(func(*cloud.State) error { return nil })) // the faults act where the account is used
		failed.Until = e.clock.now
		e.deploy(e.open(), 1, oldImage)
		e.wait(time.Minute)
		target := e.target()
		watch := func(except ...Period) (before Baseline) {
			target.Except = except
			r, scale := (&Watcher{AWS: account.Config("us-east-1"), Clock: e.clock}).newRun(target, func(string) {})
			r.poll(t.Context(), scale.environment(e.clock.now))
			require.True(t, r.baselineRead)
			return r.before
		}
		share := func(b Baseline) float64 {
			requests, errors := 0, 0
			for _, m := range b.Minutes {
				requests, errors = requests+m.Requests, errors+m.Errors
			}
			return float64(errors) / float64(requests)
		}
		require.Greater(t, share(watch()), 0.03, "the errors of the version that failed")
		usual := watch(failed)
		require.Less(t, share(usual), 0.005)
		require.InDelta(t, 60, len(usual.Minutes), 3, "an hour all the same")
	}
}

// TestWatchEnds requires that a cancelled context ends the watch, that alarms and metrics that do not exist are warnings, and
// that the summary names a bake that is too short.
func TestWatchEnds(t *testing.T) {
	e := newEnvironment(t, 1)
	account := e.open()
	e.deploy(account, 1, oldImage)
	e.wait(time.Minute)
	watcher := &Watcher{AWS: account.Config("us-east-1"), Clock: e.clock}
	target := e.target()
	target.Alarms, target.For = []string{"none"}, time.Minute
	target.TargetGroup, target.LoadBalancer, target.Services = "", "", nil
	verdict, err := watcher.Watch(t.Context(), target, func(string) {})
	require.NoError(t, err)
	require.Equal(t, Verdict{Warnings: []string{
		"alarm none does not exist and was not judged",
		"CloudWatch has no metrics of the new version, so that 5xx, latency and memory were not judged",
	}}, verdict)

	target = e.target()
	target.For = time.Minute
	verdict, err = watcher.Watch(t.Context(), target, func(string) {})
	require.NoError(t, err)
	require.Equal(t, Verdict{Warnings: []string{
		"a bake of 1m00s is too short to judge 5xx, latency or memory: set deployment.rollout.bake to at least 4m00s",
	}}, verdict)
	target.For = 3 * time.Minute
	verdict, err = watcher.Watch(t.Context(), target, func(string) {})
	require.NoError(t, err)
	require.Equal(t, []string{"a bake of 3m00s is too short to judge latency: set deployment.rollout.bake to at least 4m00s"}, verdict.Warnings)
	require.NotEmpty(t, verdict.Summary)

	expired := account.Config("us-east-1")
	expired.APIOptions = append(expired.APIOptions, func(s *middleware.Stack) error {
		return s.Initialize.Add(middleware.InitializeMiddlewareFunc("expired", func(context.Context, middleware.InitializeInput,
			middleware.InitializeHandler) (out middleware.InitializeOutput, metadata middleware.Metadata, err error) {
			return out, metadata, &smithy.GenericAPIError{Code: "ExpiredTokenException"}
		}), middleware.After)
	})
	_, err = (&Watcher{AWS: expired, Clock: e.clock}).Watch(t.Context(), e.target(), func(string) {})
	require.True(t, expiry.IsError(err), "no later reading succeeds: %v", err)

	ctx, cancel := context.WithCancel(t.Context())
	_, err = watcher.Watch(ctx, e.target(), func(string) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
}
