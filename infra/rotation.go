package infra

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sfn"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// Rotation restarts the services after RDS has rotated the database's password, which running tasks read only at their
// start: a rule starts a state machine, which restarts one service. For the reasons see docs/adr/0019-password-rotation.md.
type Rotation struct {
	pulumi.ResourceState
}

// RotationArgs are the arguments of Rotation.
type RotationArgs struct {
	Env                           *environment.Environment
	ClusterARN, DatabaseSecretARN pulumi.StringInput
}

// rotationCheck is how often the machine compares the services with the secret without an event, in case that one is
// lost: AWS services deliver some events with best effort only.
// Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-delivery-level.html
const rotationCheck = "rate(1 hour)"

// NewRotation declares Rotation.
func NewRotation(ctx *pulumi.Context, name string, args *RotationArgs, opts ...pulumi.ResourceOption) (*Rotation, error) {
	c := &Rotation{}
	child, err := declare(ctx, "Rotation", name, c, opts)
	if err != nil {
		return nil, err
	}
	env := args.Env
	role, rolePolicy, err := newServiceRole(ctx, name, env, serviceRole{
		name: env.RotationRoleName(), service: "states.amazonaws.com", sources: env.RotationMachineARN(),
		policy:      "restart-services",
		permissions: documentOf(func(arn []string) []statement { return rotationStatements(env, arn) }, args.DatabaseSecretARN),
	}, child)
	if err != nil {
		return nil, err
	}
	machine, err := sfn.NewStateMachine(ctx, name, &sfn.StateMachineArgs{
		Name:    pulumi.String(env.RotationName()),
		RoleArn: role.Arn,
		Definition: textFrom(func(arn []string) (string, error) {
			return marshal("a state machine", rotationMachine(arn[0], arn[1]))
		}, args.ClusterARN, args.DatabaseSecretARN),
		Tags: withName(env.Tags(), env.RotationName()),
	}, child, pulumi.DependsOn([]pulumi.Resource{rolePolicy}))
	if err != nil {
		return nil, err
	}
	if err := newRotationRule(ctx, name, args, machine, child); err != nil {
		return nil, err
	}
	return c, finish(ctx, name, c, pulumi.Map{})
}

// newRotationRule declares the rule that starts the machine, once for each service so that none waits for another.
func newRotationRule(
	ctx *pulumi.Context, name string, args *RotationArgs, machine *sfn.StateMachine, child pulumi.ResourceOption,
) error {
	env := args.Env
	role, rolePolicy, err := newServiceRole(ctx, name+"-rule", env, serviceRole{
		name: env.RotationRuleRoleName(), service: "events.amazonaws.com",
		sources: fmt.Sprintf("arn:aws:events:%s:%s:rule/%s", env.Region, env.Account, env.RotationName()),
		policy:  "start-machine", permissions: documentOf(startMachineStatements, machine.Arn),
	}, child)
	if err != nil {
		return err
	}
	rule, err := cloudwatch.NewEventRule(ctx, name, &cloudwatch.EventRuleArgs{
		Name:               pulumi.String(env.RotationName()),
		Description:        pulumi.String("Restart the services whose tasks are older than the credentials of the database"),
		EventPattern:       textFrom(rotationEvents, args.DatabaseSecretARN),
		ScheduleExpression: pulumi.String(rotationCheck),
		Tags:               withName(env.Tags(), env.RotationName()),
	}, child)
	if err != nil {
		return err
	}
	for _, s := range env.Services.List() {
		input, err := marshal("the input of the state machine", map[string]any{"services": []string{env.ServiceName(s.Role)}})
		if err != nil {
			return err
		}
		if _, err := cloudwatch.NewEventTarget(ctx, name+"-"+string(s.Role), &cloudwatch.EventTargetArgs{
			Rule:     rule.Name,
			TargetId: pulumi.String(s.Role),
			Arn:      machine.Arn,
			RoleArn:  role.Arn,
			Input:    pulumi.String(input),
		}, child, pulumi.DependsOn([]pulumi.Resource{rolePolicy})); err != nil {
			return err
		}
	}
	return nil
}

// rotationEvents returns the event pattern of a new current version of the secret. Secrets Manager publishes this event
// itself, without CloudTrail, and after RDS has set the password.
// Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html
func rotationEvents(secretARN []string) (string, error) {
	return marshal("an event pattern", map[string]any{
		"source":      []string{"aws.secretsmanager"},
		"detail-type": []string{"Secret Label Updated"},
		"resources":   secretARN,
		"detail":      map[string]any{"labelUpdated": []string{"AWSCURRENT"}},
	})
}

// rotationStatements returns statements that allow the machine to read when the secret was rotated, but not its value,
// and to restart the environment's services.
func rotationStatements(env *environment.Environment, arn []string) []statement {
	var services []string
	for _, s := range env.Services.List() {
		services = append(services, fmt.Sprintf("arn:aws:ecs:%s:%s:service/%s/%s",
			env.Region, env.Account, env.ClusterName(), env.ServiceName(s.Role)))
	}
	return []statement{
		allow("ReadRotation", []string{"secretsmanager:DescribeSecret"}, arn...),
		allow("RestartServices", []string{"ecs:DescribeServices", "ecs:UpdateService"}, services...),
	}
}

func startMachineStatements(arn []string) []statement {
	return []statement{allow("StartMachine", []string{"states:StartExecution"}, arn...)}
}

// The limits of one execution, in seconds: the wait between two polls of a deployment, and the whole execution, which
// may wait for another deployment and its bake before its own.
const (
	rotationPoll    = 15
	rotationTimeout = 2 * 60 * 60
)

// object is a part of a state machine's definition.
type object = map[string]any

// rotationMachine returns the definition of the state machine. Its input has the name of one service in the list
// "services". It ends without a change where the service does not exist or is newer than the password. It waits for any
// deployment that is in progress, and restarts the service at most once: a restart that ECS rolled back is a failure.
// Source: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
func rotationMachine(clusterARN, secretARN string) object {
	const (
		rotated = "$.secret.LastRotatedDate"
		created = "$.service.primary[0].CreatedAt"
		state   = "$.service.primary[0].RolloutState"
	)
	return object{
		"Comment":        "Restart a service whose tasks are older than the credentials of the database",
		"StartAt":        "ReadSecret",
		"TimeoutSeconds": rotationTimeout,
		"States": object{
			"ReadSecret": call("secretsmanager:describeSecret", object{"SecretId": secretARN}, object{
				"ResultPath": "$.secret", "Next": "Rotated",
			}),
			// A secret that was never rotated has no date.
			"Rotated": object{"Type": "Choice", "Choices": []object{
				{"Variable": rotated, "IsPresent": true, "Next": "ReadService"},
			}, "Default": "UpToDate"},
			"ReadService": call("ecs:describeServices", object{"Cluster": clusterARN, "Services.$": "$.services"}, object{
				"ResultSelector": object{"primary.$": "$.Services[?(@.Status=='ACTIVE')].Deployments[?(@.Status=='PRIMARY')]"},
				"ResultPath":     "$.service", "Next": "Decide",
			}),
			"Decide": object{"Type": "Choice", "Choices": []object{
				{"Variable": "$.service.primary[0]", "IsPresent": false, "Next": "UpToDate"},
				{"Variable": state, "StringEquals": "IN_PROGRESS", "Next": "Wait"},
				{"And": []object{
					{"Variable": created, "TimestampGreaterThanEqualsPath": rotated}, {"Variable": state, "StringEquals": "COMPLETED"},
				}, "Next": "UpToDate"},
				{"Variable": "$.restart", "IsPresent": true, "Next": "RestartFailed"},
				{"Variable": created, "TimestampGreaterThanEqualsPath": rotated, "Next": "UpToDate"},
				{"Variable": state, "StringEquals": "FAILED", "Next": "DeploymentFailed"},
			}, "Default": "Restart"},
			"Wait": object{"Type": "Wait", "Seconds": rotationPoll, "Next": "ReadService"},
			"Restart": call("ecs:updateService", object{
				"Cluster": clusterARN, "Service.$": "$.services[0]", "ForceNewDeployment": true,
			}, object{
				"ResultSelector": object{"definition.$": "$.Service.TaskDefinition"}, "ResultPath": "$.restart", "Next": "Wait",
			}),
			"UpToDate": object{"Type": "Succeed"},
			"RestartFailed": object{"Type": "Fail", "Error": "RestartFailed",
				"Cause": "The restart of the service failed or was rolled back: its tasks may have the previous credentials."},
			"DeploymentFailed": object{"Type": "Fail", "Error": "DeploymentFailed",
				"Cause": "The last deployment of the service failed, and its tasks may have the previous credentials: deploy again."},
		},
	}
}

// call returns a state that calls an operation of an AWS service, with retries of any error.
// Source: https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
func call(operation string, parameters, result object) object {
	state := object{
		"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:" + operation, "Parameters": parameters,
		"Retry": []object{{"ErrorEquals": []string{"States.ALL"}, "IntervalSeconds": 10, "MaxAttempts": 5, "BackoffRate": 2}},
	}
	for field, value := range result {
		state[field] = value
	}
	return state
}

// rotationAlarms returns the alarms about restarts that failed or took too long. Without data none ran.
// Source: https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
func rotationAlarms(env *environment.Environment) []alarm {
	machine := pulumi.StringMap{"StateMachineArn": pulumi.String(env.RotationMachineARN())}
	const namespace = "AWS/States"
	return []alarm{
		{"rotation-failed", "RDS rotated the credentials of the database, and tasks that have the previous ones could not be restarted",
			namespace, "ExecutionsFailed", "Sum", above, 0, 1, notBreaching, machine},
		{"rotation-late", "RDS rotated the credentials of the database, and tasks were not restarted within two hours",
			namespace, "ExecutionsTimedOut", "Sum", above, 0, 1, notBreaching, machine},
	}
}
