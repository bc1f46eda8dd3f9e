package bake

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/balancer/v3-backend-infra/clock"
)

// pollInterval is the wait between two polls.
const pollInterval = 30 * time.Second

// A Watcher reads what AWS observes of a new version.
type Watcher struct {
	AWS   aws.Config
	Clock clock.Clock
}

// Watch polls until the target's time is over or the version has failed, and reports what it waits for.
func (w *Watcher) Watch(ctx context.Context, target BakeTarget, report func(string)) (Verdict, error) {
	client := cloudwatch.NewFromConfig(w.AWS)
	for waited := time.Duration(0); ; waited += pollInterval {
		var verdict Verdict
		if len(target.Alarms) > 0 {
			out, err := client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: target.Alarms, StateValue: cloudwatchtypes.StateValueAlarm})
			if err != nil {
				return verdict, fmt.Errorf("read the alarms: %w", err)
			}
			for _, a := range out.MetricAlarms {
				name, text := aws.ToString(a.AlarmName), aws.ToString(a.StateReason)
				if aws.ToTime(a.StateTransitionedTimestamp).Before(target.Since) {
					verdict.Warnings = append(verdict.Warnings, name+" was in alarm before the rollout")
					continue
				}
				verdict.Failed = true
				verdict.Evidence = append(verdict.Evidence, Evidence{KindAlarm, name, "alarm " + name + ": " + text})
			}
		}
		if verdict.Failed || waited >= target.For {
			return verdict, nil
		}
		report(fmt.Sprintf("%s of %s watched", waited, target.For))
		if err := w.Clock.Wait(ctx, min(pollInterval, target.For-waited)); err != nil {
			return verdict, err
		}
	}
}
