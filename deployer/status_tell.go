package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/notify"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

// tellTimeout bounds what is told elsewhere.
const tellTimeout = 15 * time.Second

// publishMetrics puts a report's counts into CloudWatch, with the environment's full name as dimension.
func publishMetrics(ctx context.Context, cfg aws.Config, r checks.Report) error {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
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

// notify posts the summary where the result is not healthy or is another one than the last time, and remembers it.
func (s status) notify(ctx context.Context, one *subject, j ui.EnvironmentReport) error {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	failure := ""
	if j.Failure != nil {
		failure = j.Failure.Message
	}
	if one.place == nil {
		return s.webhook.Post(ctx, notify.NewMessage(j.Report, "", failure))
	}
	memory := s.memoryOf(one.place)
	previous, err := memory.Last(ctx, one.env.Stack)
	if err != nil {
		printError(s.err, err)
	}
	if message := notify.NewMessage(j.Report, previous, failure); message.ShouldSend() {
		// What could not be said is still to be said the next time: it is not remembered.
		if err := s.webhook.Post(ctx, message); err != nil {
			return err
		}
	}
	if previous == j.Summary.Status {
		return nil
	}
	return memory.Save(ctx, one.env.Stack, j.Summary.Status, j.Timestamp)
}

// memoryOf is where the last statuses are kept: beside the records of deployments.
func (s settings) memoryOf(p *place) notify.StatusStore {
	switch records := p.records.(type) {
	case history.Dir:
		return notify.Dir(filepath.Join(filepath.Dir(string(records)), "status"))
	case history.Bucket:
		return notify.Bucket{Client: records.Client, Name: records.Name, Prefix: records.Prefix}
	}
	return notify.Dir(filepath.Join(s.stateDir, "status"))
}
