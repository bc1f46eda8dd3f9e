package bake

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/cwmetrics"
	"github.com/balancer/v3-backend-infra/internal/awsx/ecstasks"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// A Reader reads what AWS observes of the services of an environment. All times are the environment's. Its errors are AWS's, or
// name the target group or load balancer that was not found.
type Reader struct {
	cloudwatch *cloudwatch.Client
	ecs        *ecs.Client
	elb        *elb.Client
	target     BakeTarget
	scale      timescale
	// group and balancer are the ARNs of the target group and the load balancer; "" before they are known.
	group, balancer string
}

// NewReader returns a reader of the target. speed is that of the clock of its environment.
func NewReader(cfg aws.Config, target BakeTarget, speed int) *Reader {
	return &Reader{
		cloudwatch: cwmetrics.NewClient(cfg), ecs: ecs.NewFromConfig(cfg), elb: elb.NewFromConfig(cfg),
		target: target, scale: newTimescale(target.Since, speed),
	}
}

// The IDs of the series; those of memory end with the index of the service.
const (
	seriesRequests  = "requests"
	seriesRejected  = "rejected"
	seriesOfTargets = "targets"
	seriesOfELB     = "balancer"
	seriesP95       = "p95"
	seriesMemory    = "memory"
)

// Minutes returns the minutes from one time up to another of which CloudWatch has data, sorted by time.
func (r *Reader) Minutes(ctx context.Context, from, to time.Time) ([]Minute, error) {
	if err := r.locate(ctx); err != nil {
		return nil, err
	}
	series := r.series()
	if len(series) == 0 || !from.Before(to) {
		return nil, nil
	}
	values, err := cwmetrics.Read(ctx, r.cloudwatch, series, r.scale.aws(from), r.scale.aws(to), r.scale.period())
	if err != nil {
		return nil, err
	}
	return r.minutesOf(values), nil
}

// series returns the metrics of the load balancer and the services. A request for which the load balancer found no target is not
// part of RequestCount, and is answered with 503.
// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
func (r *Reader) series() []cwmetrics.Series {
	var all []cwmetrics.Series
	if r.group != "" && r.balancer != "" {
		balancer := suffix(r.balancer, ":loadbalancer/")
		add := func(id, metric, statistic string, dimensions map[string]string) {
			all = append(all, cwmetrics.Series{
				ID: id, Namespace: "AWS/ApplicationELB", Metric: metric, Statistic: statistic, Dimensions: dimensions,
			})
		}
		ofTargets := map[string]string{"LoadBalancer": balancer, "TargetGroup": "targetgroup/" + suffix(r.group, ":targetgroup/")}
		ofBalancer := map[string]string{"LoadBalancer": balancer}
		add(seriesRequests, "RequestCount", "Sum", ofTargets)
		add(seriesOfTargets, "HTTPCode_Target_5XX_Count", "Sum", ofTargets)
		add(seriesP95, "TargetResponseTime", "p95", ofTargets)
		add(seriesOfELB, "HTTPCode_ELB_5XX_Count", "Sum", ofBalancer)
		add(seriesRejected, "HTTPCode_ELB_503_Count", "Sum", ofBalancer)
	}
	for i, service := range r.target.Services {
		all = append(all, cwmetrics.Series{
			ID: memoryID(i), Namespace: "AWS/ECS", Metric: "MemoryUtilization", Statistic: "Maximum",
			Dimensions: map[string]string{"ClusterName": r.target.Cluster, "ServiceName": service},
		})
	}
	return all
}

func memoryID(i int) string { return fmt.Sprintf("%s%d", seriesMemory, i) }

// suffix returns the part of an ARN that follows the separator, of which CloudWatch's dimensions consist.
func suffix(arn, separator string) string {
	_, after, _ := strings.Cut(arn, separator)
	return after
}

// minutesOf joins the values of the series by minute.
func (r *Reader) minutesOf(values map[string]map[time.Time]float64) []Minute {
	byStart := map[time.Time]*Minute{}
	each := func(id string, set func(*Minute, float64)) {
		for at, value := range values[id] {
			start := r.scale.environment(at)
			if byStart[start] == nil {
				byStart[start] = &Minute{Start: start, Memory: map[string]float64{}}
			}
			set(byStart[start], value)
		}
	}
	for _, id := range []string{seriesRequests, seriesRejected} {
		each(id, func(m *Minute, value float64) { m.Requests += int(value) })
	}
	for _, id := range []string{seriesOfTargets, seriesOfELB} {
		each(id, func(m *Minute, value float64) { m.Errors += int(value) })
	}
	each(seriesP95, func(m *Minute, value float64) { m.P95 = time.Duration(value * float64(time.Second)) })
	for i, service := range r.target.Services {
		each(memoryID(i), func(m *Minute, value float64) { m.Memory[service] = value })
	}
	var all []Minute
	for _, m := range byStart {
		// The load balancer counts an answer when it is sent, which may be a minute after the request.
		m.Requests = max(m.Requests, m.Errors)
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b Minute) int { return a.Start.Compare(b.Start) })
	return all
}

// locate looks up the ARNs of the target group and the load balancer, once.
func (r *Reader) locate(ctx context.Context) error {
	if r.group == "" && r.target.TargetGroup != "" {
		arn, err := arnOf(r.target.TargetGroup, func(name string) (string, error) {
			out, err := r.elb.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Names: []string{name}})
			if err != nil || len(out.TargetGroups) == 0 {
				return "", err
			}
			return aws.ToString(out.TargetGroups[0].TargetGroupArn), nil
		})
		if err != nil {
			return fmt.Errorf("look up the target group %s: %w", r.target.TargetGroup, err)
		}
		r.group = arn
	}
	if r.balancer == "" && r.target.LoadBalancer != "" {
		arn, err := arnOf(r.target.LoadBalancer, func(name string) (string, error) {
			out, err := r.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{name}})
			if err != nil || len(out.LoadBalancers) == 0 {
				return "", err
			}
			return aws.ToString(out.LoadBalancers[0].LoadBalancerArn), nil
		})
		if err != nil {
			return fmt.Errorf("look up the load balancer %s: %w", r.target.LoadBalancer, err)
		}
		r.balancer = arn
	}
	return nil
}

// arnOf returns a name that is an ARN, or the ARN that find finds. None is an error.
func arnOf(name string, find func(string) (string, error)) (string, error) {
	if strings.HasPrefix(name, "arn:") {
		return name, nil
	}
	arn, err := find(name)
	if err == nil && arn == "" {
		return "", fmt.Errorf("AWS has none of that name")
	}
	return arn, err
}

// Alarms returns the alarms of the target that are in alarm, never nil, and the names of those that do not exist.
func (r *Reader) Alarms(ctx context.Context) (inAlarm []Alarm, missing []string, err error) {
	if len(r.target.Alarms) == 0 {
		return []Alarm{}, nil, nil
	}
	out, err := r.cloudwatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: r.target.Alarms, AlarmTypes: []cwtypes.AlarmType{cwtypes.AlarmTypeMetricAlarm, cwtypes.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return nil, nil, err
	}
	var found []string
	inAlarm = []Alarm{}
	add := func(name *string, state cwtypes.StateValue, reason *string, transitioned, updated *time.Time) {
		found = append(found, aws.ToString(name))
		if state == cwtypes.StateValueAlarm {
			since := aws.ToTime(cmp.Or(transitioned, updated))
			inAlarm = append(inAlarm, Alarm{Name: aws.ToString(name), Reason: aws.ToString(reason), Since: r.scale.environment(since)})
		}
	}
	for _, a := range out.MetricAlarms {
		add(a.AlarmName, a.StateValue, a.StateReason, a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
	}
	for _, a := range out.CompositeAlarms {
		add(a.AlarmName, a.StateValue, a.StateReason, a.StateTransitionedTimestamp, a.StateUpdatedTimestamp)
	}
	missing = list.Filter(r.target.Alarms, func(name string) bool { return !slices.Contains(found, name) })
	return inAlarm, missing, nil
}

// Stops returns the tasks of the services' current deployments that stopped since a time although no one asked them to.
func (r *Reader) Stops(ctx context.Context, since time.Time) ([]Stop, error) {
	if len(r.target.Services) == 0 {
		return nil, nil
	}
	described, err := r.ecs.DescribeServices(ctx, &ecs.DescribeServicesInput{
		Cluster: &r.target.Cluster, Services: r.target.Services,
	})
	if err != nil {
		return nil, err
	}
	for _, missing := range described.Failures {
		name := awsx.NameFromARN(aws.ToString(missing.Arn))
		return nil, fmt.Errorf("ECS does not describe the service %s: %s", name, aws.ToString(missing.Reason))
	}
	var stops []Stop
	for _, service := range described.Services {
		current := aws.ToString(checks.PrimaryDeployment(service).Id)
		tasks, err := ecstasks.Find(ctx, r.ecs, &ecs.ListTasksInput{
			Cluster: &r.target.Cluster, ServiceName: service.ServiceName, DesiredStatus: ecstypes.DesiredStatusStopped,
		})
		if err != nil {
			return nil, err
		}
		for _, t := range tasks {
			stopped := cmp.Or(t.ExecutionStoppedAt, t.StoppedAt)
			if stopped == nil || stopped.Before(r.scale.aws(since)) || aws.ToString(t.StartedBy) != current {
				continue
			}
			if cause := checks.StopCause(t); cause.Failed() {
				memory := ""
				if cause.Kind == checks.StopOutOfMemory {
					memory = aws.ToString(t.Memory)
				}
				stops = append(stops, Stop{
					Service: aws.ToString(service.ServiceName), Task: ecstasks.ShortID(ecstasks.ID(t)),
					Cause: cause.Message, AnyImage: cause.AnyImage,
					At: r.scale.environment(*stopped), Memory: memory,
				})
			}
		}
	}
	return stops, nil
}

// Targets returns the targets of the target group, without those that drain; never nil where there is a target group.
func (r *Reader) Targets(ctx context.Context) ([]Target, error) {
	if r.target.TargetGroup == "" {
		return nil, nil
	}
	if err := r.locate(ctx); err != nil {
		return nil, err
	}
	out, err := r.elb.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &r.group})
	if err != nil {
		return nil, err
	}
	targets := []Target{}
	for _, described := range out.TargetHealthDescriptions {
		health := described.TargetHealth
		if described.Target == nil || health == nil || strings.HasSuffix(string(health.State), "draining") {
			continue
		}
		targets = append(targets, Target{
			ID:      fmt.Sprintf("%s:%d", aws.ToString(described.Target.Id), aws.ToInt32(described.Target.Port)),
			Reason:  cmp.Or(aws.ToString(health.Description), string(health.Reason)),
			Healthy: health.State == elbtypes.TargetHealthStateEnumHealthy,
			// Reasons that begin with Elb are the load balancer's own errors.
			Failing: health.State == elbtypes.TargetHealthStateEnumUnhealthy && !strings.HasPrefix(string(health.Reason), "Elb."),
		})
	}
	return targets, nil
}
