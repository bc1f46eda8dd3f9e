package checks

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/cwmetrics"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// utilisation holds what CloudWatch has of each resource, by resource and detail: the latest value of each metric, and of CPU and memory
// the period. It is supplementary evidence: without it nothing becomes unknown.
type utilisation map[string]map[string]any

func (u utilisation) of(resource string) map[string]any { return u[resource] }

func (u utilisation) number(resource, metric string) (float64, bool) {
	value, ok := u[resource][metric].(float64)
	return value, ok
}

func serviceMetrics(name string) string  { return "service/" + name }
func databaseMetrics(name string) string { return "database/" + name }
func queueMetrics(name string) string    { return "queue/" + name }

// metric is one metric of a resource in CloudWatch.
type metric struct {
	// resource is the key in utilisation, detail the name in a finding's details.
	resource, detail string
	namespace, name  string
	dimensions       map[string]string
	// extreme is the statistic that is of interest beside the average over utilisationPeriod; "" where only the latest value is.
	extreme string
}

// The statistics of extremes.
const (
	maximum = "Maximum"
	minimum = "Minimum"
)

// The names of the details.
const (
	cpuPercent       = "cpu_percent"
	memoryPercent    = "memory_percent"
	freeStorageBytes = "free_storage_bytes"
	freeableMemory   = "freeable_memory_bytes"
	connections      = "connections"
	oldestMessageAge = "oldest_message_seconds"
	bytesPerGiB      = 1 << 30
)

const (
	// periodSuffix ends the names of details about utilisationPeriod.
	periodSuffix      = "_24h"
	utilisationPeriod = 24 * time.Hour
	metricPeriod      = 5 * time.Minute
	// metricHistory is how old the latest value may be.
	metricHistory = 20 * time.Minute
)

// utilisationMetrics returns the metrics of the environment's services, database and queue.
func utilisationMetrics(env *environment.Environment) []metric {
	var metrics []metric
	for _, s := range env.Services.List() {
		name := env.ServiceName(s.Role)
		dimensions := map[string]string{"ClusterName": env.ClusterName(), "ServiceName": name}
		metrics = append(metrics,
			metric{serviceMetrics(name), cpuPercent, "AWS/ECS", "CPUUtilization", dimensions, maximum},
			metric{serviceMetrics(name), memoryPercent, "AWS/ECS", "MemoryUtilization", dimensions, maximum})
	}
	database := databaseMetrics(env.DatabaseIdentifier())
	instance := map[string]string{"DBInstanceIdentifier": env.DatabaseIdentifier()}
	queue := map[string]string{"QueueName": env.QueueName()}
	return append(metrics,
		metric{database, cpuPercent, "AWS/RDS", "CPUUtilization", instance, maximum},
		metric{database, freeStorageBytes, "AWS/RDS", "FreeStorageSpace", instance, ""},
		metric{database, freeableMemory, "AWS/RDS", "FreeableMemory", instance, minimum},
		metric{database, connections, "AWS/RDS", "DatabaseConnections", instance, maximum},
		metric{queueMetrics(env.QueueName()), oldestMessageAge, "AWS/SQS", "ApproximateAgeOfOldestMessage", queue, ""})
}

// readUtilisation returns what CloudWatch has, in one call. Callers continue without it on an error.
func readUtilisation(ctx context.Context, rc *runContext) (utilisation, error) {
	return cached(ctx, &rc.cache, "utilisation", func(ctx context.Context) (utilisation, error) {
		metrics := utilisationMetrics(rc.env)
		results, err := awsx.Pages(ctx, cloudwatch.NewGetMetricDataPaginator(cwmetrics.NewClient(rc.aws()), &cloudwatch.GetMetricDataInput{
			StartTime: aws.Time(rc.now.Add(-utilisationPeriod)), EndTime: aws.Time(rc.now),
			ScanBy: cwtypes.ScanByTimestampDescending, MetricDataQueries: metricQueries(metrics),
		}), func(out *cloudwatch.GetMetricDataOutput) []cwtypes.MetricDataResult { return out.MetricDataResults })
		if err != nil {
			return nil, err
		}
		return utilisationOf(metrics, results, rc.now), nil
	})
}

func metricQueries(metrics []metric) []cwtypes.MetricDataQuery {
	var queries []cwtypes.MetricDataQuery
	for i, m := range metrics {
		dimensions := list.Map(slices.Sorted(maps.Keys(m.dimensions)), func(name string) cwtypes.Dimension {
			return cwtypes.Dimension{Name: aws.String(name), Value: aws.String(m.dimensions[name])}
		})
		query := func(id, statistic string, period time.Duration) cwtypes.MetricDataQuery {
			return cwtypes.MetricDataQuery{Id: &id, MetricStat: &cwtypes.MetricStat{
				Metric: &cwtypes.Metric{Namespace: aws.String(m.namespace), MetricName: aws.String(m.name), Dimensions: dimensions},
				Period: aws.Int32(int32(period.Seconds())), Stat: &statistic,
			}}
		}
		queries = append(queries, query(averageID(i), "Average", metricPeriod))
		if m.extreme != "" {
			queries = append(queries, query(extremeID(i), m.extreme, time.Hour))
		}
	}
	return queries
}

func averageID(i int) string { return fmt.Sprintf("m%d", i) }

func extremeID(i int) string { return fmt.Sprintf("x%d", i) }

// utilisationOf takes the latest value of each metric, and the average and the extreme over the period. Values are sorted from the newest.
func utilisationOf(metrics []metric, results []cwtypes.MetricDataResult, now time.Time) utilisation {
	found := utilisation{}
	set := func(m metric, detail string, value any) {
		if found[m.resource] == nil {
			found[m.resource] = map[string]any{}
		}
		found[m.resource][detail] = value
	}
	for i, m := range metrics {
		averages, extremes := resultOf(results, averageID(i)), resultOf(results, extremeID(i))
		if len(averages.Values) == 0 {
			continue
		}
		if len(averages.Timestamps) > 0 && now.Sub(averages.Timestamps[0]) <= metricHistory {
			set(m, m.detail, oneDecimal(averages.Values[0]))
		}
		if len(extremes.Values) == 0 {
			continue
		}
		sum := 0.0
		for _, value := range averages.Values {
			sum += value
		}
		period := map[string]any{"average": oneDecimal(sum / float64(len(averages.Values)))}
		if m.extreme == maximum {
			period["maximum"] = oneDecimal(slices.Max(extremes.Values))
		} else {
			period["minimum"] = oneDecimal(slices.Min(extremes.Values))
		}
		set(m, m.detail+periodSuffix, period)
	}
	return found
}

// resultOf returns the result of a query, an empty one where CloudWatch has none.
func resultOf(results []cwtypes.MetricDataResult, id string) cwtypes.MetricDataResult {
	var all cwtypes.MetricDataResult
	for _, result := range results {
		// A later page continues the values of a query.
		if aws.ToString(result.Id) == id {
			all.Timestamps, all.Values = append(all.Timestamps, result.Timestamps...), append(all.Values, result.Values...)
		}
	}
	return all
}

func oneDecimal(value float64) float64 { return math.Round(value*10) / 10 }
