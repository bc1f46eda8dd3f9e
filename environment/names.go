package environment

import (
	"fmt"
	"slices"
	"strings"
)

// ContainerPort is the port of the API inside its container.
const ContainerPort = 3000

// HealthPath and ReadyPath are the paths of the API's health checks.
const (
	HealthPath = "/health"
	ReadyPath  = "/health/ready"
)

// ResourceName returns PREFIX-ENVIRONMENT-WHAT, the form of nearly every name.
func (e *Environment) ResourceName(what string) string { return e.Prefix + "-" + e.Name + "-" + what }

// VPCName returns the VPC's Name tag.
func (e *Environment) VPCName() string { return e.ResourceName("vpc") }

// NATGateways returns how many NAT gateways the environment has: none where it has a NAT instance.
func (e *Environment) NATGateways() int {
	switch e.Network.NAT {
	case NATInstance:
		return 0
	case NATPerZone:
		return e.Network.Zones
	}
	return 1
}

// NATGatewayName returns the Name tag of the i-th NAT gateway, counted from 1, and of its Elastic IP.
func (e *Environment) NATGatewayName(i int) string { return e.ResourceName(fmt.Sprintf("nat-%d", i)) }

// NATInstanceName returns the name of the Auto Scaling group that has the NAT instance, of its launch template and of its security group, and
// the Name tag of the instance, its network interface and its Elastic IP.
func (e *Environment) NATInstanceName() string { return e.ResourceName("nat") }

// The NAT instance: the smallest of Graviton, with a volume of NATVolumeGiB and NATInstanceVCPUs.
// Source: https://aws.amazon.com/ec2/instance-types/t4/
const (
	NATInstanceType  = "t4g.nano"
	NATInstanceVCPUs = 2
	NATVolumeGiB     = 4
)

// NATAddresses returns how many Elastic IPs tasks reach the internet from: one of each gateway, or the instance's.
func (e *Environment) NATAddresses() int { return max(1, e.NATGateways()) }

// ClusterName returns the name of the ECS cluster.
func (e *Environment) ClusterName() string { return e.ResourceName("cluster") }

// ServiceName returns the name of a role's ECS service.
func (e *Environment) ServiceName(r Role) string { return e.ResourceName(string(r) + "-service") }

// TaskFamily returns the family of a role's task definitions.
func (e *Environment) TaskFamily(r Role) string {
	if r == Migration {
		return e.ResourceName("migration-task")
	}
	return e.ResourceName(string(r))
}

// ContainerName returns the name of the application's container in a role's tasks. The migration has the API's.
func (e *Environment) ContainerName(r Role) string {
	if r == Migration {
		r = API
	}
	return applicationContainer + string(r)
}

// applicationContainer is what the names of the application's containers begin with.
const applicationContainer = "balancer-"

// IsApplicationContainer reports whether a container of a task is the application's, not a sidecar.
func IsApplicationContainer(name string) bool { return strings.HasPrefix(name, applicationContainer) }

// LoadBalancerName returns the name of the application load balancer.
func (e *Environment) LoadBalancerName() string { return e.ResourceName("alb") }

// TargetGroupName returns the name of the API's target group.
func (e *Environment) TargetGroupName() string { return e.ResourceName("api-tg") }

// QueueName returns the name of the queue of background jobs.
func (e *Environment) QueueName() string { return e.ResourceName("background-jobs") }

// DeadLetterQueueName returns the name of the queue of failed background jobs.
func (e *Environment) DeadLetterQueueName() string { return e.ResourceName("background-jobs-dlq") }

// SecretName returns the name of the configuration secret. It contains the stack's name, not the environment's.
func (e *Environment) SecretName() string { return "balancer-" + e.Stack + "-config" }

// LogGroupName returns the name of the containers' CloudWatch log group.
func (e *Environment) LogGroupName() string { return "/aws/ecs/" + e.Prefix + "-" + e.Name }

// LogBucketName returns the name of the bucket for the load balancer's access logs.
func (e *Environment) LogBucketName() string { return e.ResourceName("logs-" + e.Account) }

// AlarmName returns the name of the alarm about what.
func (e *Environment) AlarmName(what string) string { return e.ResourceName(what) }

// DashboardName returns the name of the CloudWatch dashboard.
func (e *Environment) DashboardName() string { return e.Prefix + "-" + e.Name }

// WebACLName returns the name of the web ACL.
func (e *Environment) WebACLName() string { return e.ResourceName("waf") }

// TaskRoleName returns the name of the application's role.
func (e *Environment) TaskRoleName() string { return e.ResourceName("task-role") }

// ExecutionRoleName returns the name of the role with which ECS pulls the image, reads the secret and writes logs.
func (e *Environment) ExecutionRoleName() string { return e.ResourceName("execution-role") }

// RotationName returns the name of the rule and of the state machine that restart services after RDS has
// rotated the database's password.
func (e *Environment) RotationName() string { return e.ResourceName("rotation") }

// RotationMachineARN returns the ARN of the state machine.
func (e *Environment) RotationMachineARN() string {
	return fmt.Sprintf("arn:aws:states:%s:%s:stateMachine:%s", e.Region, e.Account, e.RotationName())
}

// RotationRoleName returns the name of the state machine's role.
func (e *Environment) RotationRoleName() string { return e.ResourceName("rotation-role") }

// RotationRuleRoleName returns the name of the role with which the rule starts the state machine.
func (e *Environment) RotationRuleRoleName() string { return e.ResourceName("rotation-rule-role") }

// ScheduleName returns the name of the state machine that puts the environment to sleep and wakes it, and of the rule that starts it.
func (e *Environment) ScheduleName() string { return e.ResourceName("schedule") }

// ScheduleMachineARN returns the ARN of the state machine.
func (e *Environment) ScheduleMachineARN() string {
	return fmt.Sprintf("arn:aws:states:%s:%s:stateMachine:%s", e.Region, e.Account, e.ScheduleName())
}

// WakeScheduleName returns the name of the schedule of EventBridge Scheduler that wakes the environment.
func (e *Environment) WakeScheduleName() string { return e.ResourceName("wake") }

// SleepScheduleName returns the name of the schedule that puts it to sleep.
func (e *Environment) SleepScheduleName() string { return e.ResourceName("sleep") }

// ScheduleRoleName returns the name of the role of the state machine.
func (e *Environment) ScheduleRoleName() string { return e.ResourceName("schedule-role") }

// ScheduleStartRoleName returns the name of the role with which EventBridge Scheduler starts the state machine.
func (e *Environment) ScheduleStartRoleName() string { return e.ResourceName("schedule-start-role") }

// ScheduleRuleRoleName returns the name of the role with which the rule starts the state machine.
func (e *Environment) ScheduleRuleRoleName() string { return e.ResourceName("schedule-rule-role") }

// FlowLogsRoleName returns the name of the role with which the network's flow logs are written.
func (e *Environment) FlowLogsRoleName() string { return e.ResourceName("flow-logs-role") }

// AsleepParameter returns the name of the parameter of Systems Manager that exists while the environment is asleep.
func (e *Environment) AsleepParameter() string { return AsleepParameterOf(e.Prefix, e.Stack) }

// AsleepParameterOf returns the same of a stack's environment.
func AsleepParameterOf(prefix, stack string) string { return "/" + prefix + "/" + stack + "/asleep" }

// BudgetName returns the name of the monthly budget.
func (e *Environment) BudgetName() string { return e.ResourceName("monthly") }

// URL returns the environment's base URL.
func (e *Environment) URL() string { return "https://" + e.Domain.Name }

// RepositoryURL returns the image repository without tag or digest.
func (e *Environment) RepositoryURL() string {
	return fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s", e.Account, e.Region, e.Image.Repository)
}

// LatestTag returns the tag that pipelines move to the newest image for the environment.
func (e *Environment) LatestTag() string { return e.Stack + "-latest" }

// ImageReference returns the image of a digest, the only form in which an image is run.
func (e *Environment) ImageReference(digest string) string { return e.RepositoryURL() + "@" + digest }

// RunningTag returns the tag of the image that an environment runs. The registry never expires it.
func RunningTag(name string) string { return "running-" + name }

// PreviousTag returns the tag of the image that an environment ran before. The registry never expires it.
func PreviousTag(name string) string { return "previous-" + name }

// Tags returns the tags of every resource.
func (e *Environment) Tags() map[string]string { return tags(e.Prefix, e.Name) }

func tags(project, name string) map[string]string {
	return map[string]string{"Project": project, "Environment": name, "ManagedBy": "pulumi"}
}

// StateBucket returns the name of the bucket of an account's Pulumi state.
func StateBucket(prefix, account string) string { return prefix + "-pulumi-state-" + account }

// StateKeyAlias returns the alias of the KMS key that encrypts the state's secrets.
func StateKeyAlias(prefix string) string { return "alias/" + prefix + "-pulumi" }

// BoundaryName returns the name of the permissions boundary of every environment's roles.
func BoundaryName(prefix string) string { return prefix + "-boundary" }

// BoundaryARN returns the ARN of the permissions boundary in an account.
func BoundaryARN(prefix, account string) string {
	return "arn:aws:iam::" + account + ":policy/" + BoundaryName(prefix)
}

// ReadPolicyName returns the name of the managed policy with which GitHub's workflows read an account.
func ReadPolicyName(prefix string) string { return prefix + "-read" }

// NetworkPolicyName returns the name of the managed policy with which a deployment role of GitHub changes networks. The suffix is the role's.
func NetworkPolicyName(prefix, suffix string) string { return prefix + suffix + "-network" }

// SuppressorNamespace declares the CloudWatch namespace of the metric of the alarm that mutes the others, which no role may write: a single value
// would mute an environment until someone wakes it.
const SuppressorNamespace = "Balancer/Suppressor"

// MetricsNamespace is the CloudWatch namespace of the metrics that status publishes.
const MetricsNamespace = "Balancer/Infrastructure"

// The variables that the program sets in a task definition.
const (
	VarRegion            = "AWS_REGION"
	VarQueueURL          = "SQS_BACKGROUND_JOB_QUEUE_URL"
	VarDatabaseHost      = "DATABASE_HOST"
	VarDatabasePort      = "DATABASE_PORT"
	VarDatabaseName      = "DATABASE_NAME"
	VarConnectionLimit   = "DATABASE_CONNECTION_LIMIT"
	VarPoolTimeout       = "DATABASE_POOL_TIMEOUT"
	VarDatabaseSecretARN = "DATABASE_SECRET_ARN"
	VarConfigSecretID    = "CONFIG_SECRET_ID"
	// VarDatabaseURL is built when the container starts, unless the configuration secret has one.
	VarDatabaseURL = "DATABASE_URL"
)

// ProgramVariables returns the variables that the program sets in a task definition.
func ProgramVariables() []string {
	return []string{
		VarRegion, VarQueueURL, VarDatabaseHost, VarDatabasePort, VarDatabaseName, VarConnectionLimit, VarPoolTimeout,
		VarDatabaseSecretARN, VarConfigSecretID,
	}
}

// Origin is where a variable gets its value.
type Origin string

// The origins: the program, the configuration secret, or both, combined when the container starts.
const (
	FromProgram Origin = "program"
	FromSecret  Origin = "secret"
	AtStart     Origin = "start"
)

// OriginOf returns the origin of a variable. Where a configuration secret has one that is built at the start, the
// secret's value is used.
func OriginOf(variable string) Origin {
	switch {
	case variable == VarDatabaseURL:
		return AtStart
	case slices.Contains(ProgramVariables(), variable):
		return FromProgram
	}
	return FromSecret
}

// ReadsVariable reports whether the application reads the variable, according to the environment's file.
func (e *Environment) ReadsVariable(variable string) bool {
	return OriginOf(variable) != FromSecret || slices.Contains(e.Configuration.Required, variable) ||
		slices.Contains(e.Configuration.Optional, variable)
}

// DatabaseOfOtherEnvironment returns the environment that a database host belongs to, if it is not e. An RDS host begins
// with the identifier of its database, to which a restored database adds a suffix.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ConnectToPostgreSQLInstance.html
func (e *Environment) DatabaseOfOtherEnvironment(host string) (name string, other bool) {
	identifier, domain, _ := strings.Cut(strings.ToLower(host), ".")
	own := e.DatabaseIdentifier()
	if !strings.Contains(domain, ".rds.amazonaws.com") || identifier == own || strings.HasPrefix(identifier, own+"-") {
		return "", false
	}
	identifier, found := strings.CutPrefix(identifier, e.Prefix+"-")
	name, _, isDatabase := strings.Cut(identifier+"-", "-db-")
	return name, found && isDatabase
}

// SecretKeys returns the required variables that the configuration secret must have.
func (e *Environment) SecretKeys() []string {
	var keys []string
	for _, name := range e.Configuration.Required {
		if OriginOf(name) == FromSecret {
			keys = append(keys, name)
		}
	}
	return keys
}
