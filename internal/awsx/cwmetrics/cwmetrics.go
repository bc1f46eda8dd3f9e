// Package cwmetrics reads metrics and alarms of CloudWatch.
package cwmetrics

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"

	"github.com/balancer/v3-backend-infra/internal/list"
)

// NewClient creates a client. For a custom endpoint it uses JSON instead of the SDK's CBOR, which emulators of AWS do not
// support.
func NewClient(cfg aws.Config) *cloudwatch.Client {
	return cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) {
		if o.BaseEndpoint != nil {
			o.Protocol = awsjson.New10(schemas.GraniteServiceVersion20100801)
		}
	})
}

// A Series selects the values of one statistic of a metric, by an ID of its own among those that are read together.
type Series struct {
	ID, Namespace, Metric, Statistic string
	Dimensions                       map[string]string
}

// Read returns the values of each series from one time up to another, by ID and the time at which their period begins. A series
// without data has none. The error is CloudWatch's, or names the series that it did not return completely.
func Read(
	ctx context.Context, client cloudwatch.GetMetricDataAPIClient, series []Series, from, to time.Time, period time.Duration,
) (map[string]map[time.Time]float64, error) {
	in := &cloudwatch.GetMetricDataInput{
		StartTime: &from, EndTime: &to, ScanBy: types.ScanByTimestampAscending,
		MetricDataQueries: list.Map(series, func(s Series) types.MetricDataQuery { return s.query(period) }),
	}
	values := map[string]map[time.Time]float64{}
	for pages := cloudwatch.NewGetMetricDataPaginator(client, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, result := range page.MetricDataResults {
			id := aws.ToString(result.Id)
			if result.StatusCode == types.StatusCodeInternalError || result.StatusCode == types.StatusCodeForbidden {
				return nil, fmt.Errorf("CloudWatch does not return the series %s: %s", id, result.StatusCode)
			}
			if values[id] == nil {
				values[id] = map[time.Time]float64{}
			}
			for i := range min(len(result.Timestamps), len(result.Values)) {
				values[id][result.Timestamps[i].UTC()] = result.Values[i]
			}
		}
	}
	return values, nil
}

func (s Series) query(period time.Duration) types.MetricDataQuery {
	dimensions := list.Map(slices.Sorted(maps.Keys(s.Dimensions)), func(name string) types.Dimension {
		return types.Dimension{Name: aws.String(name), Value: aws.String(s.Dimensions[name])}
	})
	return types.MetricDataQuery{Id: aws.String(s.ID), MetricStat: &types.MetricStat{
		Metric: &types.Metric{Namespace: aws.String(s.Namespace), MetricName: aws.String(s.Metric), Dimensions: dimensions},
		Period: aws.Int32(int32(period / time.Second)), Stat: aws.String(s.Statistic),
	}}
}
