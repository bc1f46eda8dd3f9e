package logs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"
)

// fakeGroup is a log group whose lines arrive some time after they were written, and a clock that advances while Follow waits.
type fakeGroup struct {
	now    time.Time
	until  time.Time
	stop   context.CancelCauseFunc
	lines  []delayedEvent
	fails  map[int]error
	calls  int
	pauses []time.Duration
}

type delayedEvent struct {
	Event
	arrives time.Time
}

func (g *fakeGroup) Now() time.Time { return g.now }

func (g *fakeGroup) Wait(ctx context.Context, d time.Duration) error {
	g.pauses = append(g.pauses, d)
	if g.now = g.now.Add(d); !g.now.Before(g.until) {
		g.stop(errEnough)
	}
	return ctx.Err()
}

var errEnough = errors.New("enough")

// FilterLogEvents returns two lines a page.
func (g *fakeGroup) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	g.calls++
	if err := g.fails[g.calls]; err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.FilterLogEventsOutput{}
	var there []delayedEvent
	for _, l := range g.lines {
		ms := l.Time.UnixMilli()
		if !l.arrives.After(g.now) && ms >= *in.StartTime && (in.EndTime == nil || ms <= *in.EndTime) && strings.HasPrefix(l.Stream, aws.ToString(in.LogStreamNamePrefix)) {
			there = append(there, l)
		}
	}
	slices.SortStableFunc(there, func(x, y delayedEvent) int { return x.Time.Compare(y.Time) })
	from := 0
	if in.NextToken != nil {
		_, _ = fmt.Sscan(*in.NextToken, &from)
	}
	for _, l := range there[min(from, len(there)):min(from+2, len(there))] {
		out.Events = append(out.Events, types.FilteredLogEvent{
			EventId: aws.String(l.ID), LogStreamName: aws.String(l.Stream), Message: aws.String(l.Message),
			Timestamp: aws.Int64(l.Time.UnixMilli()), IngestionTime: aws.Int64(l.arrives.UnixMilli()),
		})
	}
	if from+2 < len(there) {
		out.NextToken = aws.String(fmt.Sprint(from + 2))
	}
	return out, nil
}

func (g *fakeGroup) write(stream string, written, arrives int, message string) {
	e := at(written, message)
	e.Stream = stream
	g.lines = append(g.lines, delayedEvent{e, noon.Add(time.Duration(arrives) * time.Second)})
}

// follow follows from five minutes before noon until so many seconds after it.
func follow(t *testing.T, g *fakeGroup, until int, q Query) (shown []string, dropped int, retries []error, err error) {
	ctx, stop := context.WithCancelCause(t.Context())
	g.now, g.until, g.stop = noon, noon.Add(time.Duration(until)*time.Second), stop
	q.Since = noon.Add(-5 * time.Minute)
	r := Reader{Client: g, Query: q, Emit: func(e Event) error { shown = append(shown, e.Message); return nil }}
	err = r.Follow(ctx, g, func(n int) { dropped = n }, func(err error) { retries = append(retries, err) })
	return shown, dropped, retries, err
}

func TestFollowEmitsLateEventsOnce(t *testing.T) {
	g := &fakeGroup{}
	var want []string
	for i := range 600 {
		// Every seventh line arrives late, by up to a minute and a half.
		late := 0
		if i%7 == 0 {
			late = i % 90
		}
		g.write([]string{"api/a/1", "worker/w/2"}[i%2], i, i+late, fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
	}
	shown, _, _, err := follow(t, g, 720, Query{Services: []string{"api", "worker"}})
	require.ErrorIs(t, err, errEnough)
	require.ElementsMatch(t, want, shown)
}

func TestFollowStartsWithTheNewest(t *testing.T) {
	g := &fakeGroup{}
	for i := range 9 {
		g.write("api/a/1", i-60, i-60, fmt.Sprint(i))
	}
	g.write("api/a/1", 20, 20, "later")
	g.write("api/a/1", 20, 20, "last")
	shown, dropped, _, _ := follow(t, g, 60, Query{Limit: 1})
	require.Equal(t, []string{"8", "later", "last"}, shown, "the limit applies to the first poll")
	require.Equal(t, 8, dropped)
}

func TestFollowBacksOff(t *testing.T) {
	g := &fakeGroup{}
	g.write("api/a/1", 40, 40, "x")
	_, _, _, _ = follow(t, g, 60, Query{})
	require.Equal(t, []time.Duration{1, 2, 4, 8, 8, 8, 8, 8, 1, 2, 4, 8}, seconds(g.pauses))
}

func seconds(all []time.Duration) (whole []time.Duration) {
	for _, d := range all {
		whole = append(whole, d/time.Second)
	}
	return whole
}

func TestFollowRetries(t *testing.T) {
	throttled := &smithy.GenericAPIError{Code: "ThrottlingException", Message: "Rate exceeded"}
	g := &fakeGroup{fails: map[int]error{1: throttled, 2: throttled, 4: throttled}}
	for i := range 5 {
		g.write("api/a/1", i, i, fmt.Sprint(i))
	}
	shown, _, retries, err := follow(t, g, 60, Query{Limit: 100})
	require.ErrorIs(t, err, errEnough)
	require.Equal(t, []string{"0", "1", "2", "3", "4"}, shown, "the third poll fails at its second page")
	require.Len(t, retries, 1, "reported once until a poll succeeds")
}

func TestFollowReturnsPermanentErrors(t *testing.T) {
	denied := &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}
	_, _, _, err := follow(t, &fakeGroup{fails: map[int]error{2: denied}}, 60, Query{})
	require.ErrorIs(t, err, denied)
}

func TestReadEndsBeforeUntil(t *testing.T) {
	g := &fakeGroup{now: noon.Add(time.Hour)}
	for i := range 5 {
		g.write("api/a/1", i, i, fmt.Sprint(i))
	}
	var shown []string
	r := Reader{Client: g, Query: Query{Since: noon.Add(time.Second), Until: noon.Add(3 * time.Second)}, Emit: func(e Event) error { shown = append(shown, e.Message); return nil }}
	n, dropped, err := r.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2"}, shown)
	require.Equal(t, []int{2, 0}, []int{n, dropped})
}
