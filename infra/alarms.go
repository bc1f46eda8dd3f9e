package infra

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/environment"
)

// alarm is a threshold of a metric, and for how many minutes the metric may exceed it.
type alarm struct {
	// name is the suffix of the alarm's name; description is for the person on call.
	name, description string
	namespace, metric string
	// statistic is Average, Sum, Maximum, Minimum, SampleCount or a percentile such as p95.
	statistic  string
	comparison string
	threshold  float64
	minutes    int
	// missing is the treatment of missing data: notBreaching or breaching.
	missing    string
	dimensions pulumi.StringMap
}

// The values of CloudWatch.
const (
	above        = "GreaterThanThreshold"
	below        = "LessThanThreshold"
	notBreaching = "notBreaching"
	breaching    = "breaching"
)

const gigabyte = 1 << 30

// alarms returns the environment's alarms. Only those of the load balancer need a name that AWS generates.
func alarms(env *environment.Environment, balancer, targetGroup pulumi.StringInput) []alarm {
	all := balancerAlarms(balancer, targetGroup)
	if env.Firewall.Enabled {
		all = append(all, firewallAlarm(env))
	}
	for _, s := range env.Services.List() {
		all = append(all, serviceAlarms(env, s)...)
	}
	all = append(all, databaseAlarms(env)...)
	all = append(all, queueAlarms(env)...)
	all = append(all, rotationAlarms(env)...)
	if env.Network.NAT == environment.NATInstance {
		all = append(all, natAlarm(env))
	}
	return append(all, scheduleAlarms(env)...)
}

// balancerAlarms returns the alarms about the responses to users. Without data there were no requests.
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

// firewallAlarm returns the alarm about requests that the web ACL blocks: an attack, or a rule that matches what the API is for. A few blocked
// requests a minute are usual, since robots scan every address.
// Source: https://docs.aws.amazon.com/waf/latest/developerguide/waf-metrics.html
func firewallAlarm(env *environment.Environment) alarm {
	return alarm{"waf-blocked", "The web ACL blocks many requests: an attack, or a rule that legitimate queries match",
		"AWS/WAFV2", "BlockedRequests", "Sum", above, 50, 5, notBreaching,
		pulumi.StringMap{"WebACL": pulumi.String(env.WebACLName()), "Region": pulumi.String(env.Region), "Rule": pulumi.String("ALL")}}
}

// serviceAlarms returns the alarms about one service's tasks. ECS sends one sample of the CPU per minute and running task, so that the
// number of samples is the number of tasks, at every level of monitoring. Without data no task runs.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html
//
// Where a task has a sidecar, AWS does not document whether a sample is a task's or a container's. After the first deployment with one,
// compare the statistic SampleCount of CPUUtilization with the number of running tasks: if it is twice as large, so must be the threshold.
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

// databaseAlarms returns alarms that leave time to act: a fifth of the storage, a tenth of the memory, a fifth of the connections.
// Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html
func databaseAlarms(env *environment.Environment) []alarm {
	instance := pulumi.StringMap{"DBInstanceIdentifier": pulumi.String(env.DatabaseIdentifier())}
	memory := environment.InstanceMemory(env.Database.InstanceClass)
	connections := float64(environment.MaxConnections(env.Database.InstanceClass))
	const namespace = "AWS/RDS"
	return []alarm{
		{"db-cpu", "The database uses nearly all of its CPU",
			namespace, "CPUUtilization", "Average", above, 85, 15, notBreaching, instance},
		{"db-memory", "The database is about to run out of memory",
			namespace, "FreeableMemory", "Average", below, memory / 10, 15, notBreaching, instance},
		{"db-storage", "The database has less than a fifth of its first storage left",
			namespace, "FreeStorageSpace", "Minimum", below, float64(env.Database.StorageGiB) * gigabyte / 5, 5, notBreaching, instance},
		{"db-connections", "The database has nearly all the connections that it allows",
			namespace, "DatabaseConnections", "Maximum", above, connections * 4 / 5, 5, notBreaching, instance},
	}
}

// queueAlarms returns the alarms about jobs that are not processed. A job can be retried until its last visibility timeout has passed;
// an older one was never received.
func queueAlarms(env *environment.Environment) []alarm {
	const namespace = "AWS/SQS"
	maxAge := env.Queue.VisibilityTimeout.Seconds() * float64(env.Queue.MaxReceives)
	return []alarm{
		{"jobs-age", "Background jobs wait for longer than all their tries take",
			namespace, "ApproximateAgeOfOldestMessage", "Maximum", above, maxAge, 5, notBreaching,
			pulumi.StringMap{"QueueName": pulumi.String(env.QueueName())}},
		{"jobs-dead", "A background job failed and is in the dead-letter queue",
			namespace, "ApproximateNumberOfMessagesVisible", "Maximum", above, 0, 1, notBreaching,
			pulumi.StringMap{"QueueName": pulumi.String(env.DeadLetterQueueName())}},
	}
}

// uptimeAlarm returns the alarm about the health check of Route 53, from outside AWS.
func uptimeAlarm(healthCheckID pulumi.IDOutput) alarm {
	return alarm{environment.UptimeAlarm, "The API does not answer from the outside",
		"AWS/Route53", "HealthCheckStatus", "Minimum", below, 1, 2, breaching,
		pulumi.StringMap{"HealthCheckId": healthCheckID.ToStringOutput()}}
}
