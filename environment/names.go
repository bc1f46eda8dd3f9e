package environment

import (
	"fmt"
	"slices"
	"strings"
)

// ContainerPort is where the API listens inside its container.
const ContainerPort = 3000

// HealthPath and ReadyPath are where the API says how it is.
const (
	HealthPath = "/health"
	ReadyPath  = "/health/ready"
)

// resource is PREFIX-ENVIRONMENT-WHAT, the form of nearly every name.
func (e *Environment) resource(what string) string {
	return e.Prefix + "-" + e.Name + "-" + what
}

// VPCName is the VPC's Name tag.
func (e *Environment) VPCName() string { return e.resource("vpc") }

// ClusterName is the ECS cluster's name.
func (e *Environment) ClusterName() string { return e.resource("cluster") }

// ServiceName is the ECS service's name.
func (e *Environment) ServiceName(r Role) string { return e.resource(string(r) + "-service") }

// TaskFamily is the task definition's family.
func (e *Environment) TaskFamily(r Role) string {
	if r == Migration {
		return e.resource("migration-task")
	}
	return e.resource(string(r))
}

// ContainerName is the application's container in a task of the role; the migration runs in the API's.
func (e *Environment) ContainerName(r Role) string {
	if r == Migration {
		r = API
	}
	return "balancer-" + string(r)
}

// LoadBalancerName is the application load balancer's name.
func (e *Environment) LoadBalancerName() string { return e.resource("alb") }

// TargetGroupName is the API's target group's name.
func (e *Environment) TargetGroupName() string { return e.resource("api-tg") }

// QueueName is the background jobs' queue.
func (e *Environment) QueueName() string { return e.resource("background-jobs") }

// DeadLetterQueueName is where the background jobs go that could not be done.
func (e *Environment) DeadLetterQueueName() string { return e.resource("background-jobs-dlq") }

// SecretName is the configuration secret's name. It carries the stack's name, as it always did.
func (e *Environment) SecretName() string { return "balancer-" + e.Stack + "-config" }

// LogGroupName is the CloudWatch log group of the environment's containers.
func (e *Environment) LogGroupName() string { return "/aws/ecs/" + e.Prefix + "-" + e.Name }

// LogBucketName is the bucket of the load balancer's access logs.
func (e *Environment) LogBucketName() string { return e.resource("logs-" + e.Account) }

// AlarmName is the name of the alarm about what.
func (e *Environment) AlarmName(what string) string { return e.resource(what) }

// DashboardName is the CloudWatch dashboard's name.
func (e *Environment) DashboardName() string { return e.Prefix + "-" + e.Name }

// WebACLName is the web ACL's name.
func (e *Environment) WebACLName() string { return e.resource("waf") }

// TaskRoleName is the role of the application itself.
func (e *Environment) TaskRoleName() string { return e.resource("task-role") }

// ExecutionRoleName is the role of ECS on the application's behalf: pull the image, read the secret, write logs.
func (e *Environment) ExecutionRoleName() string { return e.resource("execution-role") }

// BudgetName is the monthly budget's name.
func (e *Environment) BudgetName() string { return e.resource("monthly") }

// URL is the environment's base URL.
func (e *Environment) URL() string { return "https://" + e.Domain.Name }

// RepositoryURL is the image repository without tag or digest.
func (e *Environment) RepositoryURL() string {
	return fmt.Sprintf("%s.dkr.ecr.%s.amazonaws.com/%s", e.Account, e.Region, e.Image.Repository)
}

// LatestTag is the tag that pipelines move to the newest image for the environment.
func (e *Environment) LatestTag() string { return e.Stack + "-latest" }

// ImageReference is the image of a digest, the only form in which an image is ever run.
func (e *Environment) ImageReference(digest string) string { return e.RepositoryURL() + "@" + digest }

// RunningTag and PreviousTag are the image tags that mark what an environment runs, and what it ran before: the
// registry never expires them.
func RunningTag(name string) string { return "running-" + name }

// PreviousTag marks the image that an environment ran before.
func PreviousTag(name string) string { return "previous-" + name }

// Tags are on every resource.
func (e *Environment) Tags() map[string]string { return tags(e.Prefix, e.Name) }

func tags(project, name string) map[string]string {
	return map[string]string{"Project": project, "Environment": name, "ManagedBy": "pulumi"}
}

// StateBucket and StateKeyAlias are where an account's Pulumi state lies and what encrypts it.
func StateBucket(prefix, account string) string { return prefix + "-pulumi-state-" + account }

// StateKeyAlias is the alias of the KMS key that encrypts the state's secrets.
func StateKeyAlias(prefix string) string { return "alias/" + prefix + "-pulumi" }

// BoundaryName is the managed policy that bounds what the roles of any environment may do, whatever else they are given.
func BoundaryName(prefix string) string { return prefix + "-boundary" }

// BoundaryARN is the ARN of the roles' boundary in an account.
func BoundaryARN(prefix, account string) string {
	return "arn:aws:iam::" + account + ":policy/" + BoundaryName(prefix)
}

// ReadPolicyName is the managed policy with which GitHub's workflows look at an account.
func ReadPolicyName(prefix string) string { return prefix + "-read" }

// MetricsNamespace is the CloudWatch namespace under which status publishes how environments are.
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

// ProgramVariables are set in the task definition by the program, which alone knows their values.
func ProgramVariables() []string {
	return []string{
		VarRegion, VarQueueURL, VarDatabaseHost, VarDatabasePort, VarDatabaseName, VarConnectionLimit, VarPoolTimeout,
		VarDatabaseSecretARN, VarConfigSecretID,
	}
}

// Origin says who gives a variable its value.
type Origin string

// The program sets what it alone knows, people keep the rest in the configuration secret, and what needs both is built
// when the container starts.
const (
	FromProgram Origin = "program"
	FromSecret  Origin = "secret"
	AtStart     Origin = "start"
)

// OriginOf returns who gives the variable its value. A configuration secret may still hold one that is built at the
// start: the secret's then wins.
func OriginOf(variable string) Origin {
	switch {
	case variable == VarDatabaseURL:
		return AtStart
	case slices.Contains(ProgramVariables(), variable):
		return FromProgram
	}
	return FromSecret
}

// ReadsVariable reports whether the application reads the variable, as far as the environment's file says.
func (e *Environment) ReadsVariable(variable string) bool {
	return OriginOf(variable) != FromSecret || slices.Contains(e.Configuration.Required, variable) ||
		slices.Contains(e.Configuration.Optional, variable)
}

// DatabaseOfOtherEnvironment returns the environment whose database answers at a host, where that is another one than e. RDS begins
// a database's host with its identifier; one that was restored beside it has its name and more.
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

// SecretKeys are the required variables that the configuration secret must hold.
func (e *Environment) SecretKeys() []string {
	var keys []string
	for _, name := range e.Configuration.Required {
		if OriginOf(name) == FromSecret {
			keys = append(keys, name)
		}
	}
	return keys
}
