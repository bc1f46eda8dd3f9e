package infra

import (
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/xray"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Monitoring has the alarms of the environment. Enhanced monitoring notifies people of them; full monitoring adds a dashboard, a sampling
// rule for traces and an external health check.
type Monitoring struct {
	pulumi.ResourceState
}

// MonitoringArgs are what monitoring needs of other components.
type MonitoringArgs struct {
	Env      *environment.Environment
	Balancer *Balancer
	// Notifications is nil where alarms notify no one.
	Notifications *Notifications
	// GlobalProvider is the provider in environment.GlobalMetricsRegion, and GlobalNotifications is the topic there. Both are nil where
	// the environment itself is in that region.
	GlobalProvider      pulumi.ProviderResource
	GlobalNotifications *Notifications
}

// NewMonitoring declares Monitoring.
func NewMonitoring(ctx *pulumi.Context, name string, args *MonitoringArgs, opts ...pulumi.ResourceOption) (*Monitoring, error) {
	c := &Monitoring{}
	child, err := declare(ctx, "Monitoring", name, c, opts)
	if err != nil {
		return nil, err
	}
	env := args.Env
	actions := actionsOf(args.Notifications)
	for _, a := range alarms(env, args.Balancer.Suffix, args.Balancer.TargetGroupSuffix) {
		if err := newAlarm(ctx, name, env, a, actions, child); err != nil {
			return nil, err
		}
	}
	if env.Monitoring.AtLeast(environment.Full) {
		if err := newUptime(ctx, name, args, child); err != nil {
			return nil, err
		}
		if err := newDashboardAndTracing(ctx, name, env, args.Balancer, child); err != nil {
			return nil, err
		}
	}
	return c, finish(ctx, name, c, pulumi.Map{})
}

// actionsOf returns the actions of alarms that notify people.
func actionsOf(n *Notifications) pulumi.Array {
	if n == nil {
		return nil
	}
	return pulumi.Array{n.TopicARN}
}

// newUptime declares the external health check, from several regions and with the API's domain, and its alarm, which is in the region of the
// metric with a topic of that region.
func newUptime(ctx *pulumi.Context, name string, args *MonitoringArgs, child pulumi.ResourceOption) error {
	env := args.Env
	check, err := route53.NewHealthCheck(ctx, name, &route53.HealthCheckArgs{
		Type:             pulumi.String("HTTPS"),
		Fqdn:             pulumi.String(env.Domain.Name),
		Port:             pulumi.Int(443),
		ResourcePath:     pulumi.String(environment.HealthPath),
		EnableSni:        pulumi.Bool(true),
		RequestInterval:  pulumi.Int(30),
		FailureThreshold: pulumi.Int(3),
		Tags:             withName(env.Tags(), env.ResourceName("health")),
	}, child)
	if err != nil {
		return err
	}
	opts, notifications := []pulumi.ResourceOption{child}, args.Notifications
	if args.GlobalProvider != nil {
		opts, notifications = append(opts, pulumi.Provider(args.GlobalProvider)), args.GlobalNotifications
	}
	return newAlarm(ctx, name, env, uptimeAlarm(check.ID()), actionsOf(notifications), opts...)
}

// newAlarm declares one alarm, with notifications of both its states.
func newAlarm(
	ctx *pulumi.Context, name string, env *environment.Environment, a alarm, actions pulumi.Array,
	opts ...pulumi.ResourceOption,
) error {
	args := &cloudwatch.MetricAlarmArgs{
		Name:               pulumi.String(env.AlarmName(a.name)),
		AlarmDescription:   pulumi.String(a.description),
		Namespace:          pulumi.String(a.namespace),
		MetricName:         pulumi.String(a.metric),
		Dimensions:         a.dimensions,
		ComparisonOperator: pulumi.String(a.comparison),
		Threshold:          pulumi.Float64(a.threshold),
		Period:             pulumi.Int(60),
		EvaluationPeriods:  pulumi.Int(a.minutes),
		TreatMissingData:   pulumi.String(a.missing),
		AlarmActions:       actions,
		OkActions:          actions,
		Tags:               withName(env.Tags(), env.AlarmName(a.name)),
	}
	if strings.HasPrefix(a.statistic, "p") {
		args.ExtendedStatistic = pulumi.String(a.statistic)
	} else {
		args.Statistic = pulumi.String(a.statistic)
	}
	_, err := cloudwatch.NewMetricAlarm(ctx, name+"-"+a.name, args, opts...)
	return err
}

// newDashboardAndTracing declares the dashboard, and a rule that traces one request in twenty.
func newDashboardAndTracing(
	ctx *pulumi.Context, name string, env *environment.Environment, balancer *Balancer, child pulumi.ResourceOption,
) error {
	body := textFrom(func(suffix []string) (string, error) { return dashboard(env, suffix[0], suffix[1]) },
		balancer.Suffix, balancer.TargetGroupSuffix)
	if _, err := cloudwatch.NewDashboard(ctx, name, &cloudwatch.DashboardArgs{
		DashboardName: pulumi.String(env.DashboardName()),
		DashboardBody: body,
	}, child); err != nil {
		return err
	}
	_, err := xray.NewSamplingRule(ctx, name, &xray.SamplingRuleArgs{
		RuleName:      pulumi.String(env.DashboardName()),
		Version:       pulumi.Int(1),
		Priority:      pulumi.Int(1000),
		ReservoirSize: pulumi.Int(1),
		FixedRate:     pulumi.Float64(0.05),
		Host:          pulumi.String(env.Domain.Name),
		HttpMethod:    pulumi.String("*"),
		UrlPath:       pulumi.String("*"),
		ServiceName:   pulumi.String("*"),
		ServiceType:   pulumi.String("*"),
		ResourceArn:   pulumi.String("*"),
		Tags:          withName(env.Tags(), env.DashboardName()),
	}, child)
	return err
}
