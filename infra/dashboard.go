package infra

import (
	"fmt"

	"github.com/balancer/v3-backend-infra/environment"
)

// widget is one graph of a dashboard.
// Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html
type widget struct {
	Type       string     `json:"type"`
	X          int        `json:"x"`
	Y          int        `json:"y"`
	Width      int        `json:"width"`
	Height     int        `json:"height"`
	Properties properties `json:"properties"`
}

type properties struct {
	Title   string  `json:"title"`
	View    string  `json:"view"`
	Region  string  `json:"region"`
	Stat    string  `json:"stat"`
	Period  int     `json:"period"`
	Metrics [][]any `json:"metrics"`
}

// graph is the content of a widget: metrics in CloudWatch's form (namespace, name, dimensions), by one statistic.
type graph struct {
	title, statistic string
	metrics          [][]any
}

// dashboard renders the environment's dashboard: users first, then tasks, database and jobs, two graphs a row.
func dashboard(env *environment.Environment, balancer, targetGroup string) (string, error) {
	var widgets []widget
	for i, g := range graphs(env, balancer, targetGroup) {
		widgets = append(widgets, widget{
			Type: "metric", X: i % 2 * 12, Y: i / 2 * 6, Width: 12, Height: 6,
			Properties: properties{
				Title: g.title, View: "timeSeries", Region: env.Region, Stat: g.statistic, Period: 60, Metrics: g.metrics,
			},
		})
	}
	return marshal("the dashboard "+env.DashboardName(), map[string][]widget{"widgets": widgets})
}

func graphs(env *environment.Environment, balancer, targetGroup string) []graph {
	api := func(metric string) []any {
		return []any{"AWS/ApplicationELB", metric, "LoadBalancer", balancer, "TargetGroup", targetGroup}
	}
	database := func(metric string) []any {
		return []any{"AWS/RDS", metric, "DBInstanceIdentifier", env.DatabaseIdentifier()}
	}
	queue := func(metric, name string) []any { return []any{"AWS/SQS", metric, "QueueName", name} }
	firewall := func(metric string) []any {
		return []any{"AWS/WAFV2", metric, "WebACL", env.WebACLName(), "Region", env.Region, "Rule", "ALL"}
	}
	all := []graph{
		{"Requests and errors", "Sum", [][]any{
			api("RequestCount"), api("HTTPCode_Target_4XX_Count"), api("HTTPCode_Target_5XX_Count"),
		}},
		{"Response time (p95)", "p95", [][]any{api("TargetResponseTime")}},
		{"CPU of tasks (%)", "Average", perService(env, "CPUUtilization")},
		{"Memory of tasks (%)", "Average", perService(env, "MemoryUtilization")},
		{"Healthy and unhealthy targets", "Maximum", [][]any{api("HealthyHostCount"), api("UnHealthyHostCount")}},
		{"CPU of the database (%)", "Average", [][]any{database("CPUUtilization")}},
		{"Connections to the database", "Maximum", [][]any{database("DatabaseConnections")}},
		{"Free storage of the database (bytes)", "Minimum", [][]any{database("FreeStorageSpace")}},
		{"Background jobs: waiting, dead", "Maximum", [][]any{
			queue("ApproximateNumberOfMessagesVisible", env.QueueName()),
			queue("ApproximateNumberOfMessagesVisible", env.DeadLetterQueueName()),
		}},
	}
	if env.Firewall.Enabled {
		all = append(all, graph{
			"Requests that the web ACL blocks or counts", "Sum", [][]any{firewall("BlockedRequests"), firewall("CountedRequests")},
		})
	}
	return append(all, graph{"Oldest background job (s)", "Maximum", [][]any{queue("ApproximateAgeOfOldestMessage", env.QueueName())}})
}

// perService returns a metric of ECS for each of the environment's services.
func perService(env *environment.Environment, metric string) [][]any {
	var all [][]any
	for _, s := range env.Services.List() {
		all = append(all, []any{"AWS/ECS", metric, "ClusterName", env.ClusterName(), "ServiceName", env.ServiceName(s.Role)})
	}
	return all
}

// dashboardURL returns the address of the dashboard in the console, or "".
func dashboardURL(env *environment.Environment) string {
	if !env.Monitoring.AtLeast(environment.Full) {
		return ""
	}
	return fmt.Sprintf("https://%s.console.aws.amazon.com/cloudwatch/home?region=%[1]s#dashboards/dashboard/%s",
		env.Region, env.DashboardName())
}
