package command

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/notify"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

// notifyTimeout limits each notification.
const notifyTimeout = 15 * time.Second

// publishMetrics writes a report's counts to CloudWatch, with the environment's full name as dimension.
func publishMetrics(ctx context.Context, cfg aws.Config, r checks.Report) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTimeout)
	defer cancel()
	in := &cloudwatch.PutMetricDataInput{Namespace: aws.String(environment.MetricsNamespace)}
	for _, metric := range []struct {
		name  string
		value int
	}{
		{"HealthyServices", r.Summary.Healthy}, {"Warnings", r.Summary.Warning}, {"Errors", r.Summary.Error},
	} {
		in.MetricData = append(in.MetricData, types.MetricDatum{
			MetricName: aws.String(metric.name), Value: aws.Float64(float64(metric.value)), Unit: types.StandardUnitCount,
			Timestamp: aws.Time(r.Timestamp), Dimensions: []types.Dimension{{Name: aws.String("Environment"), Value: aws.String(r.Environment)}},
		})
	}
	if _, err := cloudwatch.NewFromConfig(cfg).PutMetricData(ctx, in); err != nil {
		return hint.With(fmt.Errorf("publish the metrics of %s: %w", r.Environment, err),
			"the caller needs cloudwatch:PutMetricData for the namespace "+environment.MetricsNamespace)
	}
	return nil
}

// notify posts the summary where the result is not healthy or has changed, and saves it.
func (o statusOptions) notify(ctx context.Context, one *environmentStatus, r ui.EnvironmentReport) error {
	ctx, cancel := context.WithTimeout(ctx, notifyTimeout)
	defer cancel()
	failure := ""
	if r.Failure != nil {
		failure = r.Failure.Message
	}
	if one.target == nil {
		return o.webhook.Post(ctx, notify.NewMessage(r.Report, "", failure))
	}
	store := notify.StatusStore{Files: one.target.Records.Files}
	previous, err := store.Last(ctx, one.env.Stack)
	if err != nil {
		printError(o.terminal.err, err)
	}
	if message := notify.NewMessage(r.Report, previous, failure); message.ShouldSend() {
		// A result that could not be sent is not saved, so that the next report sends it.
		if err := o.webhook.Post(ctx, message); err != nil {
			return err
		}
	}
	if previous == r.Summary.Status {
		return nil
	}
	return store.Save(ctx, one.env.Stack, r.Summary.Status, r.Timestamp)
}
