package logs

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// at returns an event so many seconds after noon.
func at(seconds int, message string) Event {
	return Event{ID: message, Time: noon.Add(time.Duration(seconds) * time.Second), Message: message}
}

func sequence(err error, events ...Event) eventSeq {
	return func(yield func(Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(Event{}, err)
		}
	}
}

func TestMerge(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		sources []eventSeq
		want    []string
		err     error
	}{
		"none":            {},
		"one":             {sources: []eventSeq{sequence(nil, at(1, "a"), at(2, "b"))}, want: []string{"a", "b"}},
		"by time":         {sources: []eventSeq{sequence(nil, at(1, "a"), at(4, "d")), sequence(nil, at(2, "b"), at(3, "c"), at(5, "e"))}, want: []string{"a", "b", "c", "d", "e"}},
		"same time":       {sources: []eventSeq{sequence(nil, at(1, "first")), sequence(nil, at(1, "second"))}, want: []string{"first", "second"}},
		"one is empty":    {sources: []eventSeq{sequence(nil), sequence(nil, at(1, "a"))}, want: []string{"a"}},
		"one fails":       {sources: []eventSeq{sequence(nil, at(1, "a"), at(3, "c")), sequence(broken, at(2, "b"))}, want: []string{"a", "b"}, err: broken},
		"fails at once":   {sources: []eventSeq{sequence(broken), sequence(nil, at(1, "a"))}, err: broken},
		"three, one late": {sources: []eventSeq{sequence(nil, at(9, "i")), sequence(nil, at(1, "a")), sequence(nil, at(5, "e"))}, want: []string{"a", "e", "i"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			var failed error
			for e, err := range merge(test.sources) {
				if failed = err; err == nil {
					got = append(got, e.Message)
				}
			}
			require.Equal(t, test.want, got)
			require.ErrorIs(t, failed, test.err)
		})
	}
}

func TestMergeStops(t *testing.T) {
	for e, err := range merge([]eventSeq{sequence(nil, at(1, "a")), sequence(nil, at(2, "b"), at(3, "c"))}) {
		require.NoError(t, err)
		require.Equal(t, "a", e.Message)
		break
	}
}

func TestTailBuffer(t *testing.T) {
	for _, test := range []struct {
		limit, given int
		want         string
		dropped      int
	}{
		{0, 5, "01234", 0}, {3, 0, "", 0}, {3, 3, "012", 0}, {3, 4, "123", 1}, {3, 6, "345", 3}, {2, 9, "78", 7}, {1, 5, "4", 4},
	} {
		b := tailBuffer{limit: test.limit}
		for i := range test.given {
			b.add(at(i, string(rune('0'+i))))
		}
		b.trim()
		got := ""
		for _, e := range b.events {
			got += e.Message
		}
		require.Equal(t, test.want, got, test)
		require.Equal(t, test.dropped, b.dropped, test)
	}
}

func TestWindow(t *testing.T) {
	w := newWindow(noon)
	require.True(t, w.isNew(at(1, "a")))
	require.False(t, w.isNew(at(1, "a")), "seen")
	require.False(t, w.isNew(at(-1, "before")))

	w.advance(noon.Add(time.Minute))
	require.Equal(t, noon, w.from, "later events may still arrive")
	w.advance(noon.Add(maxIngestionDelay + 10*time.Second))
	require.Equal(t, noon.Add(10*time.Second), w.from)
	require.Empty(t, w.seen, "events before the window are dropped")
	require.False(t, w.isNew(at(1, "a")), "and not emitted again")
	require.True(t, w.isNew(at(10, "late")), "late, but within the window")
	w.advance(noon)
	require.Equal(t, noon.Add(10*time.Second), w.from, "it never moves back")
	require.Contains(t, w.seen, "late")
}
