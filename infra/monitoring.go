package infra

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/xray"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Monitoring has the alarms of the environment. Enhanced monitoring adds a topic that notifies people; full monitoring
// adds a dashboard, a sampling rule for traces and an external health check.
type Monitoring struct {
	pulumi.ResourceState
}

// globalMetricsRegion is the only region where Route 53 publishes metrics; an alarm in another region never gets them.
// Source: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/monitoring-health-checks.html
const globalMetricsRegion = "us-east-1"

// NewMonitoring declares Monitoring.
func NewMonitoring(
	ctx *pulumi.Context, name string, env *environment.Environment, balancer *Balancer, opts ...pulumi.ResourceOption,
) (*Monitoring, error) {
	c := &Monitoring{}
	child, err := declare(ctx, "Monitoring", name, c, opts)
	if err != nil {
		return nil, err
	}
	var actions pulumi.Array
	if env.Monitoring.AtLeast(environment.Enhanced) {
		topic, err := newTopic(ctx, name+"-alarms", env, child)
		if err != nil {
			return nil, err
		}
		actions = pulumi.Array{topic}
	}
	all := alarms(env, balancer.Suffix, balancer.TargetGroupSuffix)
	if env.Monitoring.AtLeast(environment.Full) {
		// The check is from several regions, with the API's domain.
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
			return nil, err
		}
		if env.Region == globalMetricsRegion {
			all = append(all, uptimeAlarm(check.ID()))
		}
		if err := newDashboardAndTracing(ctx, name, env, balancer, child); err != nil {
			return nil, err
		}
	}
	for _, a := range all {
		if err := newAlarm(ctx, name, env, a, actions, child); err != nil {
			return nil, err
		}
	}
	return c, finish(ctx, name, c, pulumi.Map{})
}

// newAlarm declares one alarm, with notifications of both its states.
func newAlarm(
	ctx *pulumi.Context, name string, env *environment.Environment, a alarm, actions pulumi.Array,
	child pulumi.ResourceOption,
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
	_, err := cloudwatch.NewMetricAlarm(ctx, name+"-"+a.name, args, child)
	return err
}

// newTopic declares the topic of the alarms and its subscriptions.
//
// The topic has no KMS key: alarms cannot use the AWS managed one, and the name and state of an alarm do not justify the
// cost of another.
// Source: https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger
func newTopic(
	ctx *pulumi.Context, name string, env *environment.Environment, child pulumi.ResourceOption,
) (pulumi.StringOutput, error) {
	topic, err := sns.NewTopic(ctx, name, &sns.TopicArgs{
		Name:        pulumi.String(env.ResourceName("alarms")),
		DisplayName: pulumi.String(env.Prefix + " " + env.Name),
		Tags:        withName(env.Tags(), env.ResourceName("alarms")),
	}, child)
	if err != nil {
		return pulumi.StringOutput{}, err
	}
	if _, err := sns.NewTopicPolicy(ctx, name, &sns.TopicPolicyArgs{
		Arn:    topic.Arn,
		Policy: documentOf(func(arn []string) []statement { return topicStatements(env, arn[0]) }, topic.Arn),
	}, child); err != nil {
		return pulumi.StringOutput{}, err
	}
	for _, address := range env.Monitoring.Emails {
		if _, err := sns.NewTopicSubscription(ctx, name+"-"+address, &sns.TopicSubscriptionArgs{
			Topic:    topic.Arn,
			Protocol: pulumi.String("email"),
			Endpoint: pulumi.String(address),
		}, child); err != nil {
			return pulumi.StringOutput{}, err
		}
	}
	return topic.Arn, nil
}

// topicStatements returns statements that allow this account's alarms to publish, and deny requests without TLS.
func topicStatements(env *environment.Environment, topicARN string) []statement {
	return []statement{
		allow("AlarmsPublish", []string{"sns:Publish"}, topicARN).
			principal("Service", "cloudwatch.amazonaws.com").
			when("StringEquals", "aws:SourceAccount", env.Account).
			when("ArnLike", "aws:SourceArn", fmt.Sprintf("arn:aws:cloudwatch:%s:%s:alarm:*", env.Region, env.Account)),
		tlsOnly("sns:Publish", topicARN),
	}
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
