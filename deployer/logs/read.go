package logs

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// Query selects lines.
type Query struct {
	Group string
	// Services are the first parts of the streams' names; none means every stream.
	Services []string
	// Filter is a filter pattern of CloudWatch; see Pattern.
	Filter string
	// Since is the time of the first line, Until the first time after the last; a zero Until stands for no end.
	Since, Until time.Time
	// Limit is the largest number of lines, of which the newest are returned; 0 stands for all.
	Limit int
}

// Reader reads a log group. Its errors are the SDK's or the context's.
type Reader struct {
	Client cloudwatchlogs.FilterLogEventsAPIClient
	Query
	// Emit is called with every line.
	Emit func(Event) error
}

// Read emits what was written. It returns how many lines it emitted, and how many older ones the limit left out.
func (r Reader) Read(ctx context.Context) (emitted, dropped int, err error) {
	return r.poll(ctx, func(Event) bool { return true })
}

// newestPeriod declares the period before the end that ReadNewest reads first; each one before it is twice as long.
const newestPeriod = 15 * time.Minute

// ReadNewest emits the newest lines, as Read does, up to the limit. It reads backwards from the end of the query, or from now, in
// periods, and stops at the first that completes the limit: it does not read days of lines to emit the last of them. It returns
// how many older lines it has read.
func (r Reader) ReadNewest(ctx context.Context, now time.Time) (emitted, dropped int, err error) {
	var newest []Event
	part, end := r, now
	if !r.Until.IsZero() && r.Until.Before(now) {
		end = r.Until
	}
	for period := newestPeriod; ; period *= 2 {
		if part.Since = end.Add(-period); part.Since.Before(r.Since) {
			part.Since = r.Since
		}
		var found []Event
		part.Limit, part.Emit = r.Limit-len(newest), func(e Event) error {
			found = append(found, e)
			return nil
		}
		_, older, err := part.Read(ctx)
		if err != nil {
			return 0, 0, err
		}
		newest, dropped = append(found, newest...), dropped+older
		if len(newest) >= r.Limit || !part.Since.After(r.Since) {
			break
		}
		end, part.Until = part.Since, part.Since
	}
	for _, e := range newest {
		if err := r.Emit(e); err != nil {
			return emitted, dropped, err
		}
		emitted++
	}
	return emitted, dropped, nil
}

// poll reads once and emits the events that match: without a limit as they arrive; else the newest at the end, even if an error
// ended the reading.
func (r Reader) poll(ctx context.Context, matches func(Event) bool) (emitted, dropped int, err error) {
	last := tailBuffer{limit: r.Limit}
	var failed error
	for e, err := range r.events(ctx) {
		switch {
		case err != nil:
			failed = err
		case !matches(e):
		case r.Limit > 0:
			last.add(e)
		default:
			if err := r.Emit(e); err != nil {
				return emitted, 0, err
			}
			emitted++
		}
	}
	last.trim()
	for _, e := range last.events {
		if err := r.Emit(e); err != nil {
			return emitted, last.dropped, err
		}
		emitted++
	}
	return emitted, last.dropped, failed
}

// events yields the events of the selected services, merged by time. CloudWatch accepts one prefix a call.
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

// streamEvents yields the events of the streams whose names begin with prefix. A page can be empty before the end.
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
		// AWS's end is inclusive, ours is not.
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
				// Emulators ignore prefixes.
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
