package release

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

const (
	// logTailLines is how many of the last log lines a failure shows.
	logTailLines = 6
	// drainAttempts is how often the log of a task that has ended is read at most: lines arrive late.
	drainAttempts = 5
)

// LogStream is the stream that a container's output goes to: prefix, container and task, as the awslogs driver
// composes it. Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
func LogStream(env *environment.Environment, role environment.Role, taskARN string) string {
	return string(role) + "/" + env.ContainerName(role) + "/" + shortID(taskARN)
}

// logTailer reads a log stream from where it last stopped, and remembers the last lines.
type logTailer struct {
	client        *cloudwatchlogs.Client
	group, stream string
	token         *string
	last          []string
	// readError is why the log could not be read, as it was told.
	readError string
}

// next passes new lines on, and returns how many there were. Logs are evidence, never a reason to fail: a stream that is
// not there yet has none, and what else is in the way is told once.
func (t *logTailer) next(ctx context.Context, log phaseLog) int {
	for lines := 0; ; {
		out, err := t.client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: &t.group, LogStreamName: &t.stream, StartFromHead: aws.Bool(true), NextToken: t.token,
		})
		var absent *logstypes.ResourceNotFoundException
		switch {
		case errors.As(err, &absent), err != nil && ctx.Err() != nil:
			return lines
		case err != nil:
			if t.readError != err.Error() {
				t.readError = err.Error()
				log.warn("its log cannot be read: %s", t.readError)
			}
			return lines
		}
		for _, event := range out.Events {
			text := strings.TrimRight(aws.ToString(event.Message), "\n")
			t.last = append(t.last, text)
			log.note("%s", text)
		}
		lines += len(out.Events)
		t.last = t.last[max(0, len(t.last)-logTailLines):]
		// A page can be empty before the end; the end is where the token stays as it is.
		// Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
		if aws.ToString(out.NextForwardToken) == aws.ToString(t.token) {
			return lines
		}
		t.token = out.NextForwardToken
	}
}

// drain reads the log of a task that has ended until nothing more comes, and says where nothing came at all.
func (t *logTailer) drain(ctx context.Context, c clock.Clock, log phaseLog) error {
	for range drainAttempts {
		if err := c.Wait(ctx, minPause); err != nil {
			return err
		}
		if t.next(ctx, log) == 0 && len(t.last) > 0 || t.readError != "" {
			return nil
		}
	}
	if len(t.last) == 0 {
		log.note("it left no log: there is no line in %s of %s", t.stream, t.group)
	}
	return nil
}

// excerpt are the last lines, as the end of an error.
func (t *logTailer) excerpt() string { return logExcerpt(t.last) }

func logExcerpt(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\n  its last log lines:\n    " + strings.Join(lines, "\n    ")
}

// withoutNotes is a voice that does not repeat the lines of a log.
func withoutNotes(log phaseLog) phaseLog {
	report := log.report
	log.report = func(e Event) {
		if e.Kind != Note {
			report(e)
		}
	}
	return log
}
