package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx/logstream"
)

const (
	// logTailLines is how many of the last log lines a failure shows, logCauseLines how many are searched for its cause: package managers
	// write notices after it.
	logTailLines  = 6
	logCauseLines = 50
	// drainAttempts is how often the log of a stopped task is read at most: lines arrive late.
	drainAttempts = 5
)

func logStream(env *environment.Environment, role environment.Role, task string) string {
	return logstream.Name(string(role), env.ContainerName(role), task)
}

// logTailer reads a log stream from where it last stopped, and keeps the last logCauseLines lines.
type logTailer struct {
	client        *cloudwatchlogs.Client
	group, stream string
	token         *string
	last          []string
	// begun are the names of the migrations that the log names.
	begun []string
	// readError is why the log cannot be read, as it was reported.
	readError string
}

// next reports new lines, and returns how many there were. A log that cannot be read fails nothing: that the stream does not exist
// yet is ignored, and another error is reported once.
func (t *logTailer) next(ctx context.Context, log phaseLog) int {
	for lines := 0; ; {
		out, err := t.client.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: &t.group, LogStreamName: &t.stream, StartFromHead: aws.Bool(true), NextToken: t.token,
		})
		var absent *types.ResourceNotFoundException
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
			line := strings.TrimRight(aws.ToString(event.Message), "\n")
			t.last = append(t.last, line)
			if name := migrationName(line); name != "" {
				t.begun = append(t.begun, name)
			}
			log.note("%s", line)
		}
		lines += len(out.Events)
		t.last = t.last[max(0, len(t.last)-logCauseLines):]
		// A page can be empty before the end; at the end the token stays the same.
		// Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
		if aws.ToString(out.NextForwardToken) == aws.ToString(t.token) {
			return lines
		}
		t.token = out.NextForwardToken
	}
}

// drain reads the log of a stopped task until no more lines arrive, and reports where there were none.
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
		log.note("it wrote no log: the stream %s of %s has no lines", t.stream, t.group)
	}
	return nil
}

// excerpt returns the lines that a failure shows.
func (t *logTailer) excerpt() string {
	return logExcerpt(excerptTitle, t.last[max(0, len(t.last)-logTailLines):])
}

// excerptTitle is how the titles of log excerpts begin.
const excerptTitle = "last log lines"

// logExcerpt returns lines of a log, indented below a title that begins with excerptTitle; "" without lines.
func logExcerpt(title string, lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return "\n  " + title + ":\n    " + strings.ReplaceAll(strings.Join(lines, "\n"), "\n", "\n    ")
}

// withoutLogExcerpts returns a text with the number of lines in place of the lines of log excerpts.
func withoutLogExcerpts(text string) string {
	indentOf := func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
	var kept []string
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		title := strings.TrimSpace(lines[i])
		if !strings.HasPrefix(title, excerptTitle) || !strings.HasSuffix(title, ":") {
			kept = append(kept, lines[i])
			continue
		}
		indent, omitted := indentOf(lines[i]), 0
		for i+1 < len(lines) && indentOf(lines[i+1]) > indent {
			i, omitted = i+1, omitted+1
		}
		kept = append(kept, fmt.Sprintf("%s %d, not recorded", lines[i-omitted], omitted))
	}
	return strings.Join(kept, "\n")
}

// withoutNotes returns a log that drops notes, which are the lines of a container's log.
func withoutNotes(log phaseLog) phaseLog {
	report := log.report
	log.report = func(e Event) {
		if e.Kind != Note {
			report(e)
		}
	}
	return log
}
