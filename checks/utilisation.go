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
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// utilisation holds the latest average of each metric by resource. It is supplementary evidence: without it nothing becomes
// unknown.
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
}

// The names of the details.
const (
	cpuPercent       = "cpu_percent"
	memoryPercent    = "memory_percent"
	freeStorageBytes = "free_storage_bytes"
	freeableMemory   = "freeable_memory_bytes"
	connections      = "connections"
	oldestMessageAge = "oldest_message_seconds"
	metricPeriod     = 5 * time.Minute
	metricHistory    = 20 * time.Minute
	bytesPerGiB      = 1 << 30
)

// utilisationMetrics returns the metrics of the environment's services, database and queue.
func utilisationMetrics(env *environment.Environment) []metric {
	var metrics []metric
	for _, s := range env.Services.List() {
		name := env.ServiceName(s.Role)
		dimensions := map[string]string{"ClusterName": env.ClusterName(), "ServiceName": name}
		metrics = append(metrics,
			metric{serviceMetrics(name), cpuPercent, "AWS/ECS", "CPUUtilization", dimensions},
			metric{serviceMetrics(name), memoryPercent, "AWS/ECS", "MemoryUtilization", dimensions})
	}
	database := databaseMetrics(env.DatabaseIdentifier())
	instance := map[string]string{"DBInstanceIdentifier": env.DatabaseIdentifier()}
	queue := map[string]string{"QueueName": env.QueueName()}
	return append(metrics,
		metric{database, cpuPercent, "AWS/RDS", "CPUUtilization", instance},
		metric{database, freeStorageBytes, "AWS/RDS", "FreeStorageSpace", instance},
		metric{database, freeableMemory, "AWS/RDS", "FreeableMemory", instance},
		metric{database, connections, "AWS/RDS", "DatabaseConnections", instance},
		metric{queueMetrics(env.QueueName()), oldestMessageAge, "AWS/SQS", "ApproximateAgeOfOldestMessage", queue})
}

// readUtilisation returns what CloudWatch has. Callers continue without it on an error.
func readUtilisation(ctx context.Context, rc *runContext) (utilisation, error) {
	return cached(ctx, &rc.cache, "utilisation", func(ctx context.Context) (utilisation, error) {
		metrics := utilisationMetrics(rc.env)
		results, err := awsx.Pages(ctx, cloudwatch.NewGetMetricDataPaginator(newCloudWatch(rc.aws()), &cloudwatch.GetMetricDataInput{
			StartTime: aws.Time(rc.now.Add(-metricHistory)), EndTime: aws.Time(rc.now),
			ScanBy: cwtypes.ScanByTimestampDescending, MetricDataQueries: metricQueries(metrics),
		}), func(out *cloudwatch.GetMetricDataOutput) []cwtypes.MetricDataResult { return out.MetricDataResults })
		if err != nil {
			return nil, err
		}
		return utilisationOf(metrics, results), nil
	})
}

func metricQueries(metrics []metric) []cwtypes.MetricDataQuery {
	var queries []cwtypes.MetricDataQuery
	for i, m := range metrics {
		dimensions := list.Map(slices.Sorted(maps.Keys(m.dimensions)), func(name string) cwtypes.Dimension {
			return cwtypes.Dimension{Name: aws.String(name), Value: aws.String(m.dimensions[name])}
		})
		queries = append(queries, cwtypes.MetricDataQuery{
			Id: aws.String(metricID(i)),
			MetricStat: &cwtypes.MetricStat{
				Metric: &cwtypes.Metric{Namespace: aws.String(m.namespace), MetricName: aws.String(m.name), Dimensions: dimensions},
				Period: aws.Int32(int32(metricPeriod.Seconds())), Stat: aws.String("Average"),
			},
		})
	}
	return queries
}

func metricID(i int) string { return fmt.Sprintf("m%d", i) }

// utilisationOf takes the latest value of each metric; results are sorted from the newest value.
func utilisationOf(metrics []metric, results []cwtypes.MetricDataResult) utilisation {
	found := utilisation{}
	for i, m := range metrics {
		result := list.Find(results, func(r cwtypes.MetricDataResult) bool { return aws.ToString(r.Id) == metricID(i) })
		if result == nil || len(result.Values) == 0 {
			continue
		}
		if found[m.resource] == nil {
			found[m.resource] = map[string]any{}
		}
		found[m.resource][m.detail] = math.Round(result.Values[0]*10) / 10
	}
	return found
}

// newCloudWatch creates a client. For a custom endpoint it uses JSON instead of the SDK's CBOR, which emulators of AWS do not
// support.
func newCloudWatch(cfg aws.Config) *cloudwatch.Client {
	return cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) {
		if o.BaseEndpoint != nil {
			o.Protocol = awsjson.New10(schemas.GraniteServiceVersion20100801)
		}
	})
}
