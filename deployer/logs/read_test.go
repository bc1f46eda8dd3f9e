package logs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The newest lines are found in periods that are read backwards, none twice, and no more of them than the limit needs.
func TestReadNewest(t *testing.T) {
	const minute, hour = 60, 60 * 60
	group := fakeGroup{now: noon}
	for _, l := range []struct {
		stream  string
		at      int
		message string
	}{
		{"api/a/1", -20 * hour, "a"}, {"api/a/1", -hour, "b"}, {"api/a/1", -45 * minute, "c"}, {"worker/w/1", -45*minute - 1, "d"},
		{"api/a/1", -15 * minute, "e"}, {"api/a/1", -minute, "f"}, {"worker/w/1", -1, "g"},
	} {
		group.write(l.stream, l.at, l.at, l.message)
	}
	ago := func(seconds int) time.Time { return noon.Add(time.Duration(-seconds) * time.Second) }
	for name, test := range map[string]struct {
		query      Query
		want       string
		dropped    int
		mostCalled int
	}{
		"within the first period": {Query{Since: ago(24 * hour), Limit: 1}, "g", 2, 2},
		"exactly the first":       {Query{Since: ago(24 * hour), Limit: 3}, "efg", 0, 2},
		"within the second":       {Query{Since: ago(24 * hour), Limit: 4}, "cefg", 0, 3},
		"within the third":        {Query{Since: ago(24 * hour), Limit: 5}, "dcefg", 1, 4},
		"all":                     {Query{Since: ago(24 * hour), Limit: 100}, "abdcefg", 0, 20},
		"no further than since":   {Query{Since: ago(45 * minute), Limit: 100}, "cefg", 0, 3},
		"an end":                  {Query{Since: ago(24 * hour), Until: ago(minute), Limit: 2}, "ce", 1, 3},
		"an end in the future":    {Query{Since: ago(24 * hour), Until: ago(-hour), Limit: 2}, "fg", 1, 2},
		"services":                {Query{Since: ago(24 * hour), Limit: 2, Services: []string{"worker"}}, "dg", 0, 10},
		"none":                    {Query{Since: ago(hour), Limit: 2, Services: []string{"xray"}}, "", 0, 10},
	} {
		t.Run(name, func(t *testing.T) {
			group := group
			got := ""
			r := Reader{Client: &group, Query: test.query, Emit: func(e Event) error { got += e.Message; return nil }}
			emitted, dropped, err := r.ReadNewest(t.Context(), noon)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Equal(t, len(test.want), emitted)
			require.Equal(t, test.dropped, dropped)
			require.LessOrEqual(t, group.calls, test.mostCalled)
		})
	}

	group.fails = map[int]error{2: errEnough}
	r := Reader{Client: &group, Query: Query{Since: ago(24 * hour), Limit: 5}, Emit: func(Event) error { panic("emitted") }}
	_, _, err := r.ReadNewest(t.Context(), noon)
	require.ErrorIs(t, err, errEnough, "older lines are no substitute for newer ones")
}
