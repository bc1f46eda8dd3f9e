package bake

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// minutes returns minutes in a row from one of the bake on, by their requests and errors.
func minutes(from int, counts ...[2]int) []Minute {
	var all []Minute
	for i, c := range counts {
		all = append(all, Minute{Start: rolloutStart.Add(time.Duration(from+i) * time.Minute), Requests: c[0], Errors: c[1], P95: 40 * time.Millisecond})
	}
	return all
}

// TestEvidence requires the texts to have what was observed, how it was before and the limit.
func TestEvidence(t *testing.T) {
	before := Baseline{Until: rolloutStart, Minutes: minutes(-20, [2]int{2000, 1}, [2]int{2180, 1}, [2]int{0, 0})}
	before.Minutes[0].Memory = map[string]float64{service: 43}
	at := rolloutStart.Add(4 * time.Minute)
	slow := minutes(5, [2]int{50, 0}, [2]int{50, 0}, [2]int{50, 0})
	for i := range slow {
		slow[i].P95 = time.Duration(2500+i) * time.Millisecond
	}
	full := minutes(5, [2]int{50, 0}, [2]int{50, 0})
	for i := range full {
		full[i].Memory = map[string]float64{service: float64(96 - i), "worker": 20}
	}
	unhealthy := []Target{{ID: "10.20.1.7:3000", Failing: true, Reason: "Health checks failed with these codes: [503]"}, {ID: "10.20.2.8:3000", Healthy: true}}
	for want, samples := range map[string][]Sample{
		"5xx: 41 of 812 requests (5.0 %) in the last 3 minutes; 2 of 4180 requests (0.05 %) in the hour before; the limit was 17 (2.1 %)": {
			{At: at, Minutes: minutes(5, [2]int{270, 1}, [2]int{272, 20})}, {At: at.Add(time.Minute), Minutes: minutes(6, [2]int{272, 20}, [2]int{270, 20})},
		},
		"latency: p95 at least 2500 ms in each of the last 3 minutes; too few requests in the hour before; the limit is 2000 ms":                                      {{At: at, Minutes: slow}},
		"memory: a task of v3-backend-staging-api-service used at least 95 % of its memory in the last 2 minutes; at most 43 % in the hour before; the limit is 90 %": {{At: at, Minutes: full}},
		"alarm v3-backend-staging-api-5xx: in alarm for 2m00s: Threshold Crossed": {
			{At: at, Alarms: []Alarm{{"v3-backend-staging-api-5xx", "Threshold Crossed", rolloutStart.Add(3 * time.Minute)}}}, {At: at.Add(time.Minute)},
		},
		"task 0123abcd of v3-backend-staging-api-service stopped: the container ran out of memory": {
			{At: at, Stops: []Stop{{Service: service, Task: "0123abcd", Cause: "the container ran out of memory"}}},
			{At: at.Add(time.Minute), Stops: []Stop{{Service: service, Task: "0123abcd", Cause: "the container ran out of memory"}}},
		},
		"target 10.20.1.7:3000: unhealthy for 45s (the limit is 30s): Health checks failed with these codes: [503]": {
			{At: at, Targets: unhealthy}, {At: at.Add(15 * time.Second)}, {At: at.Add(45 * time.Second), Targets: unhealthy},
		},
		"targets: none of 0 healthy for 1m00s (the limit is 30s)": {{At: at, Targets: []Target{}}, {At: at.Add(time.Minute), Targets: []Target{}}},
	} {
		verdict := Judge(before, samples, DefaultLimits())
		require.True(t, verdict.Failed, want)
		require.Len(t, verdict.Evidence, 1, "%v", verdict.Evidence)
		require.Equal(t, want, verdict.Evidence[0].Text)
	}
}

// TestNoEvidence requires what noise explains, or what another image would not cure, to be no evidence.
func TestNoEvidence(t *testing.T) {
	at := rolloutStart.Add(4 * time.Minute)
	for name, samples := range map[string][]Sample{
		"nothing observed":     nil,
		"before it settled":    {{At: at, Minutes: minutes(4, [2]int{300, 300})}},
		"one minute":           {{At: at, Minutes: minutes(5, [2]int{300, 60}, [2]int{300, 0}, [2]int{300, 0})}},
		"AWS's own":            {{At: at, Stops: []Stop{{Service: service, Task: "0123abcd", Cause: "the Spot capacity was taken back", AnyImage: true}}}},
		"a target that healed": {{At: at, Targets: []Target{{ID: "1", Failing: true}}}, {At: at.Add(time.Minute), Targets: []Target{{ID: "1", Healthy: true}}}},
		"a gap in the memory": {{At: at, Minutes: []Minute{
			{Start: at.Add(time.Minute), Memory: map[string]float64{service: 95}}, {Start: at.Add(3 * time.Minute), Memory: map[string]float64{service: 95}},
		}}},
	} {
		require.Empty(t, Judge(Baseline{Until: rolloutStart}, samples, DefaultLimits()).Evidence, name)
	}
}

func TestAlarmOfBefore(t *testing.T) {
	verdict := Judge(Baseline{Until: rolloutStart}, []Sample{{
		At: rolloutStart.Add(time.Minute), Alarms: []Alarm{{"v3-backend-staging-db-cpu", "Threshold Crossed", rolloutStart.Add(-time.Second)}},
	}}, DefaultLimits())
	require.Equal(t, Verdict{Warnings: []string{
		"alarm v3-backend-staging-db-cpu was in alarm before the rollout and is not judged: Threshold Crossed"}}, verdict)
}

func TestSummary(t *testing.T) {
	at := rolloutStart.Add(4 * time.Minute)
	observed := minutes(5, [2]int{300, 0}, [2]int{312, 1})
	observed[0].Memory = map[string]float64{service: 44.4}
	require.Equal(t, "5xx: 1 of 612 requests (0.16 %), p95 at most 40 ms, memory at most 44 % in 2 minutes",
		Judge(Baseline{}, []Sample{{At: at, Minutes: observed}}, DefaultLimits()).Summary)
	require.Equal(t, "5xx: not judged, 3 requests of at least 20, p95 at most 40 ms in 1 minute",
		Judge(Baseline{}, []Sample{{At: at, Minutes: minutes(5, [2]int{3, 1})}}, DefaultLimits()).Summary)
	worker := []Minute{{Start: at.Add(time.Minute), Memory: map[string]float64{"worker": 21}}}
	require.Equal(t, "memory at most 21 % in 1 minute",
		Judge(Baseline{WithoutBalancer: true}, []Sample{{At: at, Minutes: worker}}, DefaultLimits()).Summary)
}

// TestTail compares the probability with values that can be computed otherwise.
func TestTail(t *testing.T) {
	const certain = 1e9
	for _, c := range []struct{ failed, n, failing, passing, want float64 }{
		{0, 10, 1, 99, 1},
		{1, 10, 3, 7, 1},                                   // fewer than expected
		{11, 10, 1, 99, 0},                                 // more than there are
		{10, 10, 1, 1, 1.0 / 11},                           // uniform: every count is as probable
		{9, 10, 1, 1, 2.0 / 11},                            // the two highest counts
		{2, 2, 1, 99, 2.0 / 10100},                         // 1/100 * 2/101
		{8, 10, 0.5 * certain, 0.5 * certain, 56.0 / 1024}, // a share that is certain: the binomial distribution
	} {
		require.InEpsilon(t, 1+c.want, 1+tail(c.failed, c.n, c.failing, c.passing), 1e-6, "%v", c)
	}
}

func TestDispersion(t *testing.T) {
	require.InDelta(t, 1, dispersion(nil), 0)
	require.InDelta(t, 1, dispersion(minutes(0, [2]int{100, 0})), 0)
	require.InDelta(t, 1, dispersion(minutes(0, [2]int{100, 1}, [2]int{100, 1}, [2]int{0, 0})), 0)
	// One cluster of 12 among 60 minutes counts as 12.
	clustered := make([][2]int, 60)
	for i := range clustered {
		clustered[i] = [2]int{1000, 0}
	}
	clustered[30][1] = 12
	require.InDelta(t, 12, dispersion(minutes(0, clustered...)), 0.1)
}
