package bake

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBaselineStart(t *testing.T) {
	until := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	before := func(minutes int) time.Time { return until.Add(-time.Duration(minutes) * time.Minute) }
	for name, test := range map[string]struct {
		except []Period
		want   int
	}{
		"no exception":                  {nil, 60},
		"one within the hour":           {[]Period{{before(30), before(20)}}, 70},
		"one at its begin":              {[]Period{{before(80), before(50)}}, 90},
		"one up to the rollout":         {[]Period{{before(15), until}}, 75},
		"one that ends after its begin": {[]Period{{before(15), until.Add(time.Minute)}}, 75},
		"two":                           {[]Period{{before(30), before(20)}, {before(60), before(40)}}, 90},
		"two that overlap":              {[]Period{{before(30), before(10)}, {before(40), before(20)}}, 90},
		"one before the hour":           {[]Period{{before(90), before(60)}}, 60},
		"one of two days":               {[]Period{{before(48 * 60), before(30)}}, 24 * 60},
	} {
		require.Equal(t, before(test.want), baselineStart(until, test.except), name)
	}
}

func TestPeriodIncludesMinutes(t *testing.T) {
	minute := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	p := Period{minute.Add(30 * time.Second), minute.Add(2 * time.Minute)}
	for after, want := range map[int]bool{-1: false, 0: true, 1: true, 2: false} {
		require.Equal(t, want, p.includes(minute.Add(time.Duration(after)*time.Minute)), after)
	}
}
