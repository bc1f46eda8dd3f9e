package logs

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// Query says which lines are wanted.
type Query struct {
	Group string
	// Services are the first parts of the streams' names; none means every stream.
	Services []string
	// Filter is a filter pattern of CloudWatch; see Pattern.
	Filter string
	// Since is the time of the first line, Until that after the last; the zero time is no end.
	Since, Until time.Time
	// Limit is how many lines are wanted at most, the newest; 0 is all.
	Limit int
}

// Reader reads a log group. Its errors are of the SDK, or the context's.
type Reader struct {
	Client cloudwatchlogs.FilterLogEventsAPIClient
	Query
	// Emit passes a line on.
	Emit func(Event) error
}

// Read shows what was written. It returns how many older lines the limit left out.
func (r Reader) Read(ctx context.Context) (shown, dropped int, err error) {
	return r.readOnce(ctx, func(Event) bool { return true })
}

// readOnce shows the events that are wanted: without a limit as they come, else the newest at the end, also those that were
// read before an error.
func (r Reader) readOnce(ctx context.Context, wanted func(Event) bool) (shown, dropped int, err error) {
	last := tailBuffer{limit: r.Limit}
	var failed error
	for e, err := range r.events(ctx) {
		switch {
		case err != nil:
			failed = err
		case !wanted(e):
		case r.Limit > 0:
			last.add(e)
		default:
			if err := r.Emit(e); err != nil {
				return shown, 0, err
			}
			shown++
		}
	}
	last.trim()
	for _, e := range last.events {
		if err := r.Emit(e); err != nil {
			return shown, last.dropped, err
		}
		shown++
	}
	return shown, last.dropped, failed
}

// events are those of all services that are asked for, interleaved by time. CloudWatch takes one prefix a call.
func (r Reader) events(ctx context.Context) eventSeq {
	if len(r.Services) == 0 {
		return r.streamEvents(ctx, "")
	}
	var sources []eventSeq
	for _, service := range r.Services {
		sources = append(sources, r.streamEvents(ctx, service+"/"))
	}
	return merge(sources)
}

// streamEvents are the events of the streams whose names begin with prefix. A page can be empty before the end.
// Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (r Reader) streamEvents(ctx context.Context, prefix string) eventSeq {
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: &r.Group, StartTime: aws.Int64(r.Since.UnixMilli())}
	if prefix != "" {
		in.LogStreamNamePrefix = &prefix
	}
	if r.Filter != "" {
		in.FilterPattern = &r.Filter
	}
	if !r.Until.IsZero() {
		// AWS's end is the last millisecond that counts; ours is the first that does not.
		in.EndTime = aws.Int64(r.Until.UnixMilli() - 1)
	}
	return func(yield func(Event, error) bool) {
		for pages := cloudwatchlogs.NewFilterLogEventsPaginator(r.Client, in); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, found := range page.Events {
				// Emulators do not know prefixes.
				if strings.HasPrefix(aws.ToString(found.LogStreamName), prefix) && !yield(newEvent(found), nil) {
					return
				}
			}
		}
	}
}

func newEvent(found types.FilteredLogEvent) Event {
	return Event{
		ID: aws.ToString(found.EventId), Time: time.UnixMilli(aws.ToInt64(found.Timestamp)).UTC(),
		Ingested: time.UnixMilli(aws.ToInt64(found.IngestionTime)).UTC(), Stream: aws.ToString(found.LogStreamName),
		Message: aws.ToString(found.Message),
	}.withStreamParts()
}
