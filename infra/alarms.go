package infra

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// alarm is a metric, the bound that it should not pass, and for how many minutes it may.
type alarm struct {
	// name ends the alarm's name, why is read by whom it wakes.
	name, description string
	namespace, metric string
	// statistic is Average, Sum, Maximum, Minimum, SampleCount or a percentile such as p95.
	statistic  string
	comparison string
	threshold  float64
	minutes    int
	// missing says what no data means: notBreaching or breaching.
	missing    string
	dimensions pulumi.StringMap
}

func (a alarm) isPercentile() bool { return strings.HasPrefix(a.statistic, "p") }

// CloudWatch's words.
const (
	above        = "GreaterThanThreshold"
	below        = "LessThanThreshold"
	notBreaching = "notBreaching"
	breaching    = "breaching"
)

const gigabyte = 1 << 30

// alarms are the environment's alarms. Only those about the load balancer need something that AWS makes up.
func alarms(env *environment.Environment, balancer, targetGroup pulumi.StringInput) []alarm {
	all := balancerAlarms(balancer, targetGroup)
	for _, s := range env.Services.List() {
		all = append(all, serviceAlarms(env, s)...)
	}
	all = append(all, databaseAlarms(env)...)
	return append(all, queueAlarms(env)...)
}

// balancerAlarms are about what users get. No data means no requests.
// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
func balancerAlarms(balancer, targetGroup pulumi.StringInput) []alarm {
	loadBalancer := pulumi.StringMap{"LoadBalancer": balancer}
	targets := pulumi.StringMap{"LoadBalancer": balancer, "TargetGroup": targetGroup}
	const namespace = "AWS/ApplicationELB"
	return []alarm{
		{"alb-5xx", "The load balancer itself answers with errors: no healthy target, or time-outs",
			namespace, "HTTPCode_ELB_5XX_Count", "Sum", above, 5, 5, notBreaching, loadBalancer},
		{"api-5xx", "The API answers with errors",
			namespace, "HTTPCode_Target_5XX_Count", "Sum", above, 10, 5, notBreaching, targets},
		{"api-unhealthy", "A task of the API fails its health checks",
			namespace, "UnHealthyHostCount", "Maximum", above, 0, 5, notBreaching, targets},
		{"api-latency", "One request in twenty takes longer than two seconds",
			namespace, "TargetResponseTime", "p95", above, 2, 10, notBreaching, targets},
	}
}

// serviceAlarms are about one service's tasks. ECS sends one sample of the CPU a minute for each running task, so that
// samples count tasks, at every level of monitoring; none at all means that nothing runs.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html
func serviceAlarms(env *environment.Environment, s environment.Service) []alarm {
	service := pulumi.StringMap{
		"ClusterName": pulumi.String(env.ClusterName()),
		"ServiceName": pulumi.String(env.ServiceName(s.Role)),
	}
	role := string(s.Role)
	const namespace = "AWS/ECS"
	return []alarm{
		{role + "-cpu", "The " + role + "'s tasks use nearly all of their CPU",
			namespace, "CPUUtilization", "Average", above, 90, 10, notBreaching, service},
		{role + "-memory", "The " + role + "'s tasks are about to run out of memory",
			namespace, "MemoryUtilization", "Average", above, 90, 5, notBreaching, service},
		{role + "-tasks", fmt.Sprintf("Fewer than %d tasks of the %s run", s.Tasks.Min, role),
			namespace, "CPUUtilization", "SampleCount", below, float64(s.Tasks.Min), 5, breaching, service},
	}
}

// databaseAlarms leave time to act: a fifth of the storage, a tenth of the memory, a fifth of the connections.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
func databaseAlarms(env *environment.Environment) []alarm {
	instance := pulumi.StringMap{"DBInstanceIdentifier": pulumi.String(env.DatabaseIdentifier())}
	memory := instanceMemory(env.Database.InstanceClass)
	const namespace = "AWS/RDS"
	return []alarm{
		{"db-cpu", "The database uses nearly all of its CPU",
			namespace, "CPUUtilization", "Average", above, 85, 15, notBreaching, instance},
		{"db-memory", "The database is about to run out of memory",
			namespace, "FreeableMemory", "Average", below, memory / 10, 15, notBreaching, instance},
		{"db-storage", "The database has less than a fifth of its first storage left",
			namespace, "FreeStorageSpace", "Minimum", below, float64(env.Database.StorageGiB) * gigabyte / 5, 5, notBreaching, instance},
		{"db-connections", "The database has nearly all the connections that it allows",
			namespace, "DatabaseConnections", "Maximum", above, maxConnections(memory) * 4 / 5, 5, notBreaching, instance},
	}
}

// instanceMemory is the memory of an RDS instance class, in bytes. It follows from the size, of which the r classes
// have twice as much.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html
func instanceMemory(class string) float64 {
	family, size, _ := strings.Cut(strings.TrimPrefix(class, "db."), ".")
	sizes := map[string]float64{"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16}
	memory, ok := sizes[size]
	if !ok {
		// 2xlarge, 4xlarge and so on.
		var multiple float64
		if _, err := fmt.Sscanf(size, "%fxlarge", &multiple); err != nil {
			multiple = 1
		}
		memory = multiple * sizes["xlarge"]
	}
	if strings.HasPrefix(family, "r") {
		memory *= 2
	}
	return memory * gigabyte
}

// maxConnections is how many connections RDS lets PostgreSQL have with so many bytes of memory.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.MaxConnections
func maxConnections(memory float64) float64 { return min(memory/9531392, 5000) }

// queueAlarms are about jobs that nobody does. A job may be tried until its last visibility timeout has passed;
// whatever is older has not been looked at.
func queueAlarms(env *environment.Environment) []alarm {
	const namespace = "AWS/SQS"
	maxAge := env.Queue.VisibilityTimeout.Seconds() * float64(env.Queue.MaxReceives)
	return []alarm{
		{"jobs-age", "Background jobs wait for longer than all their tries take",
			namespace, "ApproximateAgeOfOldestMessage", "Maximum", above, maxAge, 5, notBreaching,
			pulumi.StringMap{"QueueName": pulumi.String(env.QueueName())}},
		{"jobs-dead", "A background job could not be done and lies in the dead letters",
			namespace, "ApproximateNumberOfMessagesVisible", "Maximum", above, 0, 1, notBreaching,
			pulumi.StringMap{"QueueName": pulumi.String(env.DeadLetterQueueName())}},
	}
}

// uptimeAlarm is about what Route 53's checkers see from the outside.
func uptimeAlarm(healthCheckID pulumi.IDOutput) alarm {
	return alarm{"outside", "The API does not answer from the outside",
		"AWS/Route53", "HealthCheckStatus", "Minimum", below, 1, 2, breaching,
		pulumi.StringMap{"HealthCheckId": healthCheckID.ToStringOutput()}}
}
