// Package logstream reads the end of a container's log in CloudWatch.
package logstream

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

// Name returns the log stream of a task's container, as the awslogs driver composes it. prefix is the driver's option
// awslogs-stream-prefix; task is the task's ARN or ID.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
func Name(prefix, container, task string) string {
	return strings.Join([]string{prefix, container, awsx.NameFromARN(task)}, "/")
}

// Tail returns the last lines of a stream, at most so many, the oldest first and without line ends. A task that never started has
// no stream, which is CloudWatch's ResourceNotFoundException.
func Tail(ctx context.Context, client cloudwatchlogs.GetLogEventsAPIClient, group, stream string, lines int32) ([]string, error) {
	in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &group, LogStreamName: &stream, Limit: &lines}
	out, err := client.GetLogEvents(ctx, in)
	if err != nil {
		return nil, err
	}
	var tail []string
	for _, event := range out.Events {
		tail = append(tail, strings.TrimRight(aws.ToString(event.Message), "\n"))
	}
	return tail, nil
}
