package infra

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/xray"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
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
	home := &alarmGroup{name: name, env: env, region: env.Region, notifications: args.Notifications, opts: []pulumi.ResourceOption{child}}
	for _, a := range alarms(env, args.Balancer.Suffix, args.Balancer.TargetGroupSuffix) {
		if err := home.declare(ctx, a); err != nil {
			return nil, err
		}
	}
	if env.Monitoring.AtLeast(environment.Full) {
		if err := newUptime(ctx, name, args, home, child); err != nil {
			return nil, err
		}
	}
	if err := home.declareComposite(ctx); err != nil {
		return nil, err
	}
	if env.Monitoring.AtLeast(environment.Full) {
		if err := newDashboardAndTracing(ctx, name, env, args.Balancer, child); err != nil {
			return nil, err
		}
	}
	return c, finish(ctx, name, c, pulumi.Map{})
}

// newUptime declares the external health check, from several regions and with the API's domain, and its alarm, which is in the region of the
// metric with a topic of that region.
func newUptime(ctx *pulumi.Context, name string, args *MonitoringArgs, home *alarmGroup, child pulumi.ResourceOption) error {
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
	outside := uptimeAlarm(check.ID())
	if args.GlobalProvider == nil {
		return home.declare(ctx, outside)
	}
	global := &alarmGroup{
		name: name, env: env, region: environment.GlobalMetricsRegion, notifications: args.GlobalNotifications,
		opts: []pulumi.ResourceOption{child, pulumi.Provider(args.GlobalProvider)},
	}
	if err := global.declare(ctx, outside); err != nil {
		return err
	}
	return global.declareComposite(ctx)
}

// alarmGroup declares the alarms of one region. In an environment that may sleep they notify people through a composite alarm, which is
// muted while the environment is asleep; elsewhere each notifies people itself.
type alarmGroup struct {
	name   string
	env    *environment.Environment
	region string
	// notifications is nil where alarms notify no one.
	notifications *Notifications
	opts          []pulumi.ResourceOption
	// declared are the alarms so far.
	declared []pulumi.Resource
}

// declare declares one alarm, with notifications of both its states.
func (g *alarmGroup) declare(ctx *pulumi.Context, a alarm) error {
	env := g.env
	var actions pulumi.Array
	if g.notifications != nil && (!env.MaySleep() || environment.NeverMuted(a.name)) {
		actions = pulumi.Array{g.notifications.TopicARN}
	}
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
	if environment.NeverMuted(a.name) {
		args.DatapointsToAlarm = pulumi.Int(1) // one execution that failed suffices
	}
	if strings.HasPrefix(a.statistic, "p") {
		args.ExtendedStatistic = pulumi.String(a.statistic)
	} else {
		args.Statistic = pulumi.String(a.statistic)
	}
	declared, err := cloudwatch.NewMetricAlarm(ctx, g.name+"-"+a.name, args, g.opts...)
	g.declared = append(g.declared, declared)
	return err
}

const (
	// muteWait is for how many seconds the composite alarm waits for its suppressor before it notifies people. The suppressor is set before
	// anything stops, so that no alarm has to be delayed for it.
	muteWait = 1
	// muteExtension is for how many seconds after the end of a sleep alarms notify no one: those about tasks need five minutes of data, which
	// CloudWatch has after some delay, before they are no longer in alarm.
	muteExtension = 15 * 60
)

// declareComposite declares the composite alarm, and the alarm that suppresses its actions. That one has a metric that no role may write,
// and so keeps the state that SetAlarmState gives it.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm_Suppression.html
func (g *alarmGroup) declareComposite(ctx *pulumi.Context) error {
	env, suffix := g.env, ""
	if !env.MaySleep() {
		return nil
	}
	var actions pulumi.StringArray
	if g.notifications != nil {
		actions = pulumi.StringArray{g.notifications.TopicARN}
	}
	if g.region != env.Region {
		suffix = "-" + g.region
	}
	suppressor, err := cloudwatch.NewMetricAlarm(ctx, g.name+"-asleep"+suffix, &cloudwatch.MetricAlarmArgs{
		Name:               pulumi.String(env.SuppressorAlarmName()),
		AlarmDescription:   pulumi.String("In alarm while the environment is asleep, which mutes " + env.CompositeAlarmName()),
		Namespace:          pulumi.String(environment.SuppressorNamespace),
		MetricName:         pulumi.String("Asleep"),
		Dimensions:         pulumi.StringMap{"Environment": pulumi.String(env.Name)},
		Statistic:          pulumi.String("Maximum"),
		ComparisonOperator: pulumi.String(above),
		Threshold:          pulumi.Float64(0),
		Period:             pulumi.Int(60),
		EvaluationPeriods:  pulumi.Int(1),
		TreatMissingData:   pulumi.String("ignore"),
		Tags:               withName(env.Tags(), env.SuppressorAlarmName()),
	}, g.opts...)
	if err != nil {
		return err
	}
	muted := list.Filter(env.AlarmsIn(g.region), func(what string) bool { return !environment.NeverMuted(what) })
	rule := list.Map(muted, func(what string) string { return fmt.Sprintf("ALARM(%q)", env.AlarmName(what)) })
	_, err = cloudwatch.NewCompositeAlarm(ctx, g.name+"-alarms"+suffix, &cloudwatch.CompositeAlarmArgs{
		AlarmName:        pulumi.String(env.CompositeAlarmName()),
		AlarmDescription: pulumi.String("At least one alarm of the environment is in alarm, and it is not asleep"),
		AlarmRule:        pulumi.String(strings.Join(rule, " OR ")),
		AlarmActions:     actions,
		OkActions:        actions,
		ActionsSuppressor: cloudwatch.CompositeAlarmActionsSuppressorArgs{
			Alarm: suppressor.Name, WaitPeriod: pulumi.Int(muteWait), ExtensionPeriod: pulumi.Int(muteExtension),
		},
		Tags: withName(env.Tags(), env.CompositeAlarmName()),
	}, append(slices.Clone(g.opts), pulumi.DependsOn(g.declared))...)
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
