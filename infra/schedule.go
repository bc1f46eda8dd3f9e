package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sfn"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Schedule puts the environment to sleep and wakes it at the times of schedule.awake: two schedules of EventBridge Scheduler start one state
// machine, and so does a rule when RDS starts a database that was stopped for seven days. An environment without the key has none of this.
// For the reasons see docs/adr/0024-sleep-by-schedule.md.
type Schedule struct {
	pulumi.ResourceState
}

// ScheduleArgs are the arguments of Schedule.
type ScheduleArgs struct {
	Env                        *environment.Environment
	ClusterARN, TargetGroupARN pulumi.StringInput
}

// NewSchedule declares a Schedule; nil where the environment never sleeps by itself.
func NewSchedule(ctx *pulumi.Context, name string, args *ScheduleArgs, opts ...pulumi.ResourceOption) (*Schedule, error) {
	env, times := args.Env, args.Env.AwakeSchedule()
	if times == nil {
		return nil, nil
	}
	c := &Schedule{}
	child, err := declare(ctx, "Schedule", name, c, opts)
	if err != nil {
		return nil, err
	}
	permissions, err := document(scheduleStatements(env)...)
	if err != nil {
		return nil, err
	}
	role, rolePolicy, err := newServiceRole(ctx, name, env, serviceRole{
		name: env.ScheduleRoleName(), service: "states.amazonaws.com", sources: env.ScheduleMachineARN(),
		policy: "sleep-and-wake", permissions: pulumi.String(permissions),
	}, child)
	if err != nil {
		return nil, err
	}
	machine, err := sfn.NewStateMachine(ctx, name, &sfn.StateMachineArgs{
		Name:    pulumi.String(env.ScheduleName()),
		RoleArn: role.Arn,
		Definition: textFrom(func(arn []string) (string, error) {
			return marshal("a state machine", scheduleMachine(env, arn[0], arn[1]))
		}, args.ClusterARN, args.TargetGroupARN),
		Tags: withName(env.Tags(), env.ScheduleName()),
	}, child, pulumi.DependsOn([]pulumi.Resource{rolePolicy}))
	if err != nil {
		return nil, err
	}
	if err := newSchedules(ctx, name, env, *times, machine, child); err != nil {
		return nil, err
	}
	if err := newStoppedTooLongRule(ctx, name, env, machine, child); err != nil {
		return nil, err
	}
	return c, finish(ctx, name, c, pulumi.Map{})
}

// The retries of a schedule whose target could not be started: within this many seconds, so that a late one does not collide with the next.
const (
	scheduleMaxAge  = 60 * 60
	scheduleRetries = 10
)

// newSchedules declares the two schedules. They are in the default group, since schedules have no tags and names that are the environment's.
func newSchedules(
	ctx *pulumi.Context, name string, env *environment.Environment, times environment.Schedule, machine *sfn.StateMachine,
	child pulumi.ResourceOption,
) error {
	role, rolePolicy, err := newServiceRole(ctx, name+"-start", env, serviceRole{
		// The source has to be a group, not a schedule.
		// Source: https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
		name: env.ScheduleStartRoleName(), service: "scheduler.amazonaws.com",
		sources: fmt.Sprintf("arn:aws:scheduler:%s:%s:schedule-group/default", env.Region, env.Account),
		policy:  "start-machine", permissions: documentOf(startMachineStatements, machine.Arn),
	}, child)
	if err != nil {
		return err
	}
	for _, s := range []struct{ action, name, description, expression string }{
		{actionWake, env.WakeScheduleName(), "Wake the environment", times.WakeExpression()},
		{actionSleep, env.SleepScheduleName(), "Put the environment to sleep", times.SleepExpression()},
	} {
		input, err := marshal("the input of the state machine", object{"action": s.action})
		if err != nil {
			return err
		}
		if _, err := scheduler.NewSchedule(ctx, name+"-"+s.action, &scheduler.ScheduleArgs{
			Name:                       pulumi.String(s.name),
			GroupName:                  pulumi.String("default"),
			Description:                pulumi.String(s.description),
			ScheduleExpression:         pulumi.String(s.expression),
			ScheduleExpressionTimezone: pulumi.String(times.TimeZone()),
			FlexibleTimeWindow:         scheduler.ScheduleFlexibleTimeWindowArgs{Mode: pulumi.String("OFF")},
			State:                      pulumi.String("ENABLED"),
			Target: scheduler.ScheduleTargetArgs{
				Arn: machine.Arn, RoleArn: role.Arn, Input: pulumi.String(input),
				RetryPolicy: scheduler.ScheduleTargetRetryPolicyArgs{
					MaximumEventAgeInSeconds: pulumi.Int(scheduleMaxAge), MaximumRetryAttempts: pulumi.Int(scheduleRetries),
				},
			},
		}, child, pulumi.DependsOn([]pulumi.Resource{rolePolicy})); err != nil {
			return err
		}
	}
	return nil
}

// newStoppedTooLongRule declares the rule that stops the database again after RDS has started it.
func newStoppedTooLongRule(
	ctx *pulumi.Context, name string, env *environment.Environment, machine *sfn.StateMachine, child pulumi.ResourceOption,
) error {
	role, rolePolicy, err := newServiceRole(ctx, name+"-rule", env, serviceRole{
		name: env.ScheduleRuleRoleName(), service: "events.amazonaws.com",
		sources: fmt.Sprintf("arn:aws:events:%s:%s:rule/%s", env.Region, env.Account, env.ScheduleName()),
		policy:  "start-machine", permissions: documentOf(startMachineStatements, machine.Arn),
	}, child)
	if err != nil {
		return err
	}
	pattern, err := marshal("an event pattern", stoppedTooLong(env))
	if err != nil {
		return err
	}
	rule, err := cloudwatch.NewEventRule(ctx, name, &cloudwatch.EventRuleArgs{
		Name:         pulumi.String(env.ScheduleName()),
		Description:  pulumi.String("Stop the database of a sleeping environment again, which RDS starts after seven days"),
		EventPattern: pulumi.String(pattern),
		Tags:         withName(env.Tags(), env.ScheduleName()),
	}, child)
	if err != nil {
		return err
	}
	input, err := marshal("the input of the state machine", object{"action": actionStopAgain})
	if err != nil {
		return err
	}
	_, err = cloudwatch.NewEventTarget(ctx, name, &cloudwatch.EventTargetArgs{
		Rule: rule.Name, TargetId: pulumi.String("machine"), Arn: machine.Arn, RoleArn: role.Arn, Input: pulumi.String(input),
	}, child, pulumi.DependsOn([]pulumi.Resource{rolePolicy}))
	return err
}

// stoppedTooLong returns the pattern of the event that RDS is starting the environment's database, since it was stopped for seven days.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html#RDS-EVENT-0154
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-cloudwatch-events.sample.html
func stoppedTooLong(env *environment.Environment) object {
	return object{
		"source":      []string{"aws.rds"},
		"detail-type": []string{"RDS DB Instance Event"},
		"detail": object{
			"EventID":          []string{"RDS-EVENT-0154"},
			"SourceIdentifier": []string{env.DatabaseIdentifier()},
		},
	}
}

// scheduleStatements returns statements that allow the state machine what it calls, on the environment's own resources. A scalable target has
// a generated ID, and is identified by its tag; targets of a load balancer can be read without limit.
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_applicationautoscaling.html
// Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
func scheduleStatements(env *environment.Environment) []statement {
	in := func(service, resource string) string {
		return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, env.Region, env.Account, resource)
	}
	var services []string
	for _, s := range env.Services.List() {
		services = append(services, in("ecs", "service/"+env.ClusterName()+"/"+env.ServiceName(s.Role)))
	}
	return []statement{
		allow("ReadLock", []string{"s3:ListBucket"}, "arn:aws:s3:::"+environment.StateBucket(env.Prefix, env.Account)).
			when("StringEquals", "s3:prefix", lockObject(env)),
		allow("Mark", []string{"ssm:DeleteParameters", "ssm:GetParameters", "ssm:PutParameter"}, in("ssm", "parameter"+env.AsleepParameter())),
		allow("Mute", []string{"cloudwatch:SetAlarmState"}, in("cloudwatch", "alarm:"+env.SuppressorAlarmName())),
		allow("Scale", []string{"application-autoscaling:RegisterScalableTarget"}, in("application-autoscaling", "scalable-target/*")).
			when("StringEquals", "aws:ResourceTag/Environment", env.Name),
		allow("Services", []string{"ecs:DescribeServices", "ecs:UpdateService"}, services...),
		allow("Database", []string{"rds:DescribeDBInstances", "rds:StartDBInstance", "rds:StopDBInstance"}, in("rds", "db:"+env.DatabaseIdentifier())),
		allow("ReadTargets", []string{"elasticloadbalancing:DescribeTargetHealth"}, anyResource),
	}
}

// scheduleAlarmMinutes declares for how long an alarm reports an execution that failed. The metric has data only in the minute in which that
// ended: an alarm that evaluated one minute would be OK again, and notify people of that, at once. One that evaluated a day would not
// notify them of the next.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
const scheduleAlarmMinutes = 6 * 60

// scheduleAlarms returns the alarms about a sleep or a waking that failed or took too long; none where the environment has no schedule.
// Source: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
func scheduleAlarms(env *environment.Environment) []alarm {
	if env.AwakeSchedule() == nil {
		return nil
	}
	machine := pulumi.StringMap{"StateMachineArn": pulumi.String(env.ScheduleMachineARN())}
	const namespace = "AWS/States"
	return []alarm{
		{"schedule-failed", "The environment could not be put to sleep or woken by its schedule",
			namespace, "ExecutionsFailed", "Sum", above, 0, scheduleAlarmMinutes, notBreaching, machine},
		{"schedule-late", "The environment was not put to sleep or woken within two hours: a deployment holds the lock, or the database does not follow",
			namespace, "ExecutionsTimedOut", "Sum", above, 0, scheduleAlarmMinutes, notBreaching, machine},
	}
}
