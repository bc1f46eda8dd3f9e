package bake

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const service = "v3-backend-staging-api-service"

// rolloutStart declares when the rollout of every trace begins, a whole minute. The bake begins bakeAfter it.
var rolloutStart = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

const (
	bakeAfter = 4*time.Minute + 20*time.Second
	// metricsAfter is how much later a minute can be read than it ends.
	metricsAfter = 2 * time.Minute
)

// A trace is what happens around one rollout: the minutes from an hour before it to the end of the bake, and what else AWS
// reports.
type trace struct {
	minutes []Minute
	length  time.Duration
	// observe adds to a sample what is not a metric; nil adds nothing.
	observe func(*Sample)
	// lost are the minutes that CloudWatch has no data of.
	lost map[time.Time]bool
	rng  *rand.Rand
}

// traffic describes a kind of traffic: requests a minute, the share of 5xx and the response time at a minute, counted from the rollout.
type traffic struct {
	requests func(minute float64) float64
	share    float64
	p95      float64
	memory   float64
}

func newTrace(seed uint64, length time.Duration, kind traffic) *trace {
	t := &trace{rng: rand.New(rand.NewPCG(seed, 15)), length: length, lost: map[time.Time]bool{}}
	for at := -60; at <= int((bakeAfter+length)/time.Minute); at++ {
		requests := t.poisson(kind.requests(float64(at)))
		t.minutes = append(t.minutes, Minute{
			Start: rolloutStart.Add(time.Duration(at) * time.Minute), Requests: requests, Errors: t.binomial(requests, kind.share),
			P95:    time.Duration(kind.p95 * math.Exp(0.15*t.rng.NormFloat64()) * float64(time.Second)),
			Memory: map[string]float64{service: kind.memory + 2*t.rng.NormFloat64()},
		})
	}
	return t
}

// poisson returns a count with a mean; for a large one it is approximated.
func (t *trace) poisson(mean float64) int {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*t.rng.NormFloat64())))
	}
	n, product := 0, t.rng.Float64()
	for limit := math.Exp(-mean); product > limit; n++ {
		product *= t.rng.Float64()
	}
	return n
}

func (t *trace) binomial(n int, share float64) int {
	if n > 10_000 {
		return min(n, t.poisson(float64(n)*share))
	}
	hits := 0
	for range n {
		if t.rng.Float64() < share {
			hits++
		}
	}
	return hits
}

// from calls change for each minute from one on, counted from the beginning of the bake; negative ones are before.
func (t *trace) from(minute int, change func(*Minute)) {
	for i := range t.minutes {
		if !t.minutes[i].Start.Before(t.bakeStart().Truncate(time.Minute).Add(time.Duration(minute) * time.Minute)) {
			change(&t.minutes[i])
		}
	}
}

// at returns a random minute of the trace.
func (t *trace) at() *Minute { return &t.minutes[t.rng.IntN(len(t.minutes))] }

func (t *trace) bakeStart() time.Time { return rolloutStart.Add(bakeAfter) }

// failsFrom returns what creates a trace of traffic of which a share fails from a minute of the bake on.
func failsFrom(minute int, share float64, kind traffic) func(seed uint64, length time.Duration) *trace {
	return func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, kind)
		t.from(minute, t.failing(share))
		return t
	}
}

// failing adds a share of 5xx to a minute.
func (t *trace) failing(share float64) func(*Minute) {
	return func(m *Minute) { m.Errors = min(m.Requests, m.Errors+t.binomial(m.Requests-m.Errors, share)) }
}

// run judges the trace as the watcher does, at intervals until the metrics of the last minute are there. It returns the verdict,
// and how long after the beginning of the bake it was reached.
func (t *trace) run(limits Limits) (Verdict, time.Duration) {
	before := Baseline{Until: rolloutStart}
	for _, m := range t.minutes {
		if m.Start.Before(rolloutStart) && !t.lost[m.Start] {
			before.Minutes = append(before.Minutes, m)
		}
	}
	var samples []Sample
	var verdict Verdict
	for passed := time.Duration(0); passed <= t.length+time.Minute+metricsAfter; passed += 30 * time.Second {
		s := Sample{At: t.bakeStart().Add(passed), Alarms: []Alarm{}, Targets: []Target{{ID: "10.20.1.7:3000", Healthy: true}}}
		for _, m := range t.minutes {
			// A minute is read again, because at first it is not complete.
			age := s.At.Sub(m.Start.Add(time.Minute))
			if age < metricsAfter || age > metricsAfter+time.Minute || t.lost[m.Start] {
				continue
			}
			if age < metricsAfter+30*time.Second {
				m.Requests, m.Errors = m.Requests/2, m.Errors/2
			}
			s.Minutes = append(s.Minutes, m)
		}
		if t.observe != nil {
			t.observe(&s)
		}
		samples = append(samples, s)
		if verdict = Judge(before, samples, limits); verdict.Failed {
			return verdict, passed
		}
	}
	return verdict, t.length
}

func steady(requests float64) func(float64) float64 {
	return func(float64) float64 { return requests }
}

// healthyTraces creates traces in which the new version is as good as the old one.
var healthyTraces = map[string]func(seed uint64, length time.Duration) *trace{
	"steady": func(seed uint64, length time.Duration) *trace {
		return newTrace(seed, length, traffic{steady(240), 0.0005, 0.042, 41})
	},
	"busy": func(seed uint64, length time.Duration) *trace {
		return newTrace(seed, length, traffic{steady(30_000), 0.001, 0.09, 70})
	},
	"no requests at all": func(seed uint64, length time.Duration) *trace {
		return newTrace(seed, length, traffic{steady(0), 0, 0.01, 20})
	},
	"almost no requests": func(seed uint64, length time.Duration) *trace {
		return newTrace(seed, length, traffic{steady(0.6), 0.05, 0.2, 20})
	},
	"few requests": func(seed uint64, length time.Duration) *trace {
		return newTrace(seed, length, traffic{steady(8), 0.01, 0.15, 30})
	},
	"one 5xx among three requests": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(0), 0, 0.05, 20})
		t.from(2, func(m *Minute) { m.Requests = 0 })
		m := &t.minutes[len(t.minutes)-1-t.rng.IntN(3)]
		m.Requests, m.Errors = 3, 1
		return t
	},
	"traffic begins with the bake": func(seed uint64, length time.Duration) *trace {
		return newTrace(seed, length, traffic{func(minute float64) float64 {
			if minute < 0 {
				return 0
			}
			return 300
		}, 0.003, 0.4, 40})
	},
	"bursts": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(60), 0.002, 0.1, 55})
		for range 8 {
			m := t.at()
			m.Requests += 2000 + t.rng.IntN(4000)
			m.Errors += t.binomial(m.Requests, 0.02)
			m.P95 = m.P95 * 5
		}
		return t
	},
	"a morning": func(seed uint64, length time.Duration) *trace {
		return newTrace(seed, length, traffic{func(minute float64) float64 { return 20 * math.Exp(minute/30) }, 0.002, 0.08, 45})
	},
	"an evening": func(seed uint64, length time.Duration) *trace {
		return newTrace(seed, length, traffic{func(minute float64) float64 { return 80 * math.Exp(-minute/25) }, 0.002, 0.08, 45})
	},
	"background errors of 2 %": func(seed uint64, length time.Duration) *trace {
		return newTrace(seed, length, traffic{steady(400), 0.02, 0.12, 50})
	},
	"background errors that vary": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(900), 0.005, 0.12, 50})
		t.from(-1000, func(m *Minute) { t.failing(0.015 * t.rng.Float64())(m) })
		return t
	},
	"a deployment that breaks connections": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(300), 0.001, 0.05, 40})
		for i := range t.minutes {
			if after := t.minutes[i].Start.Sub(rolloutStart); after >= 0 && t.minutes[i].Start.Before(t.bakeStart().Add(time.Minute)) {
				t.failing(0.2)(&t.minutes[i])
			}
		}
		return t
	},
	"cold caches": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(300), 0.001, 0.4, 40})
		for i := range t.minutes {
			if after := t.minutes[i].Start.Sub(t.bakeStart()); after > -5*time.Minute && after <= 2*time.Minute {
				t.minutes[i].P95 *= 6
			}
		}
		return t
	},
	"missing minutes": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(120), 0.004, 0.2, 60})
		for range 25 {
			t.lost[t.at().Start] = true
		}
		return t
	},
	"duplicated minutes": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(120), 0.02, 0.2, 60})
		t.minutes = append(t.minutes, t.minutes...)
		return t
	},
	"a client that repeats": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(25), 0.001, 0.2, 35})
		for range 4 {
			m := t.at()
			repeats := 3 + t.rng.IntN(12)
			m.Requests, m.Errors = m.Requests+repeats, m.Errors+repeats
		}
		return t
	},
	"slow minutes": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(200), 0.001, 0.3, 40})
		for range 10 {
			t.at().P95 = time.Duration((2 + 3*t.rng.Float64()) * float64(time.Second))
		}
		return t
	},
	"full memory as before": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(200), 0.001, 0.1, 0})
		t.from(-1000, func(m *Minute) { m.Memory[service] = 93 + 2*t.rng.Float64() })
		return t
	},
	"memory that is collected": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(200), 0.001, 0.1, 70})
		t.from(0, func(m *Minute) {
			if m.Start.Minute()%2 == 0 {
				m.Memory[service] = 93
			}
		})
		return t
	},
	"tasks of Spot that AWS takes back": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(200), 0.001, 0.1, 40})
		t.observe = func(s *Sample) {
			s.Stops = []Stop{{Service: service, Task: "0123abcd", Cause: "AWS took the Spot capacity back", AnyImage: true}}
		}
		return t
	},
	"a target that is replaced": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(200), 0.001, 0.1, 40})
		t.observe = func(s *Sample) {
			if s.At.Sub(t.bakeStart()) == 2*time.Minute {
				s.Targets = append(s.Targets, Target{ID: "10.20.1.9:3000", Failing: true, Reason: "Health checks failed"})
			}
		}
		return t
	},
	"an alarm from before": func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(200), 0.001, 0.1, 40})
		t.observe = func(s *Sample) {
			s.Alarms = []Alarm{{"v3-backend-staging-db-cpu", "high", rolloutStart.Add(-time.Hour)}}
		}
		return t
	},
}

// faultyTraces creates traces in which the new version fails its users, and the kind of evidence that it is found by.
var faultyTraces = map[string]struct {
	kind   string
	create func(seed uint64, length time.Duration) *trace
}{
	"every request fails": {KindErrors, failsFrom(0, 1, traffic{steady(60), 0.001, 0.05, 40})},
	"every request fails, an outage before": {KindErrors, func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(60), 0, 0.05, 40})
		t.minutes[30].Errors = t.minutes[30].Requests
		t.from(0, t.failing(1))
		return t
	}},
	"a fifth fails after two minutes": {KindErrors, failsFrom(2, 0.2, traffic{steady(240), 0.0005, 0.05, 40})},
	"a twentieth fails at the end of a long bake": {KindErrors, func(seed uint64, _ time.Duration) *trace {
		t := newTrace(seed, 20*time.Minute, traffic{steady(240), 0.0005, 0.05, 40})
		t.from(17, t.failing(0.05))
		return t
	}},
	"5 % fail in a busy environment":  {KindErrors, failsFrom(1, 0.05, traffic{steady(5000), 0.0005, 0.05, 40})},
	"half fails with little traffic":  {KindErrors, failsFrom(0, 0.5, traffic{steady(12), 0.005, 0.05, 40})},
	"8 % more than the 2 % of before": {KindErrors, failsFrom(0, 0.08, traffic{steady(400), 0.02, 0.05, 40})},
	"half fails, no traffic before":   {KindErrors, failsFrom(0, 0.5, traffic{func(minute float64) float64 { return max(0, math.Copysign(30, minute)) }, 0, 0.05, 40})},
	"slow from the beginning": {KindLatency, func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(240), 0.0005, 0.042, 40})
		t.from(0, func(m *Minute) { m.P95 += 3 * time.Second })
		return t
	}},
	"four times as slow as before": {KindLatency, func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(240), 0.0005, 0.8, 40})
		t.from(0, func(m *Minute) { m.P95 *= 4 })
		return t
	}},
	"slow, no traffic before": {KindLatency, func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{func(minute float64) float64 { return max(0, math.Copysign(50, minute)) }, 0, 0.05, 40})
		t.from(0, func(m *Minute) { m.P95 = 4 * time.Second })
		return t
	}},
	"memory grows": {KindMemory, func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(240), 0.0005, 0.042, 40})
		grown := 50.0
		t.from(0, func(m *Minute) { grown = min(grown+12, 99); m.Memory[service] = grown })
		return t
	}},
	"full memory, more than before": {KindMemory, func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(240), 0.0005, 0.042, 0})
		t.from(-1000, func(m *Minute) { m.Memory[service] = 91 })
		t.from(0, func(m *Minute) { m.Memory[service] = 98 })
		return t
	}},
	"out of memory": {KindTask, func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(0), 0, 0.05, 40})
		t.observe = func(s *Sample) {
			if s.At.Sub(t.bakeStart()) >= 3*time.Minute {
				s.Stops = []Stop{{Service: service, Task: "0123abcd", Cause: "the container ran out of memory"}}
			}
		}
		return t
	}},
	"an alarm": {KindAlarm, func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(0), 0, 0.05, 40})
		t.observe = func(s *Sample) {
			if s.At.Sub(t.bakeStart()) >= 2*time.Minute {
				s.Alarms = []Alarm{{"v3-backend-staging-api-5xx", "5 datapoints were greater than the threshold (10.0)", t.bakeStart().Add(2 * time.Minute)}}
			}
		}
		return t
	}},
	"an unhealthy target": {KindTargets, func(seed uint64, length time.Duration) *trace {
		t := newTrace(seed, length, traffic{steady(0), 0, 0.05, 40})
		t.observe = func(s *Sample) {
			if s.At.Sub(t.bakeStart()) >= time.Minute {
				s.Targets = append(s.Targets, Target{ID: "10.20.2.9:3000", Failing: true, Reason: "Health checks failed with these codes: [503]"})
			}
		}
		return t
	}},
}

// lengths declares how long the bakes last.
var lengths = []time.Duration{5 * time.Minute, 10 * time.Minute, 20 * time.Minute}

const (
	healthyRuns = 1000
	faultyRuns  = 20
	// mutationRuns is how many of each kind are judged by each wrong limit.
	mutationRuns = 3
)

// rollbacks returns how many healthy traces are judged to fail, with the evidence by name.
func rollbacks(limits Limits, runs int) (failed int, evidence []string) {
	names := slices.Sorted(maps.Keys(healthyTraces))
	for seed := range runs {
		name := names[seed%len(names)]
		verdict, _ := healthyTraces[name](uint64(seed), lengths[seed/len(names)%len(lengths)]).run(limits)
		if verdict.Failed {
			failed++
			evidence = append(evidence, fmt.Sprintf("seed %d, %s: %s", seed, name, verdict.Evidence[0].Text))
		}
	}
	return failed, evidence
}

// caught returns how many faulty traces are judged to fail by the right kind of evidence, which are not, and how long each took.
func caught(limits Limits, runs int) (found int, missed []string, took []time.Duration) {
	for _, name := range slices.Sorted(maps.Keys(faultyTraces)) {
		faulty := faultyTraces[name]
		for seed := range runs {
			verdict, after := faulty.create(uint64(seed), 5*time.Minute).run(limits)
			if verdict.Failed && verdict.Evidence[0].Kind == faulty.kind {
				found++
				took = append(took, after)
				continue
			}
			missed = append(missed, fmt.Sprintf("seed %d, %s: %v", seed, name, verdict))
		}
	}
	slices.Sort(took)
	return found, missed, took
}

// TestHealthyTraffic requires that no bake of a healthy version ends in a rollback, whatever the traffic.
func TestHealthyTraffic(t *testing.T) {
	failed, evidence := rollbacks(DefaultLimits(), healthyRuns)
	t.Logf("%d rollbacks in %d healthy traces of %d kinds", failed, healthyRuns, len(healthyTraces))
	require.Zero(t, failed, "%v", evidence)
}

// TestFaultyTraffic requires that every version that fails its users is found before its bake ends, which lasts five minutes in
// most.
func TestFaultyTraffic(t *testing.T) {
	found, missed, took := caught(DefaultLimits(), faultyRuns)
	t.Logf("%d of %d faulty traces of %d kinds caught; the median after %s, the last after %s", found, len(faultyTraces)*faultyRuns,
		len(faultyTraces), took[len(took)/2], took[len(took)-1])
	require.Empty(t, missed)
}

// TestEachLimitMatters changes one threshold after another: each one prevents a rollback without a reason, or finds a fault.
func TestEachLimitMatters(t *testing.T) {
	for name, change := range map[string]func(*Limits){
		"Settle":              func(l *Limits) { l.Settle = -5 * time.Minute },
		"Window":              func(l *Limits) { l.Window = 1 },
		"MinRequests":         func(l *Limits) { l.MinRequests = 100 },
		"MinErrors":           func(l *Limits) { l.MinErrors = 300 },
		"MinExcess":           func(l *Limits) { l.MinExcess = 0.5 },
		"Significance":        func(l *Limits) { l.Significance, l.MinExcess = 0.4, 0 },
		"no Significance":     func(l *Limits) { l.Significance = 0 },
		"PriorErrors":         func(l *Limits) { l.PriorErrors, l.PriorRequests, l.MinErrors, l.MinRequests = 0.001, 1, 1, 1 },
		"MaxWeight":           func(l *Limits) { l.MaxWeight = 1 },
		"MaxDispersion":       func(l *Limits) { l.MaxDispersion = 1e6 },
		"SlowFactor":          func(l *Limits) { l.SlowFactor = 4 },
		"SlowFloor":           func(l *Limits) { l.SlowFloor, l.SlowFactor = 0, 0.9 },
		"SlowWithoutBaseline": func(l *Limits) { l.SlowWithoutBaseline = 10 * time.Second },
		"SlowMinutes":         func(l *Limits) { l.SlowMinutes = 1 },
		"MinMinuteRequests":   func(l *Limits) { l.MinMinuteRequests = 300 },
		"MemoryPercent":       func(l *Limits) { l.MemoryPercent = 100 },
		"MemoryMargin":        func(l *Limits) { l.MemoryMargin = 20 },
		"MemoryMinutes":       func(l *Limits) { l.MemoryMinutes = 1 },
		"UnhealthyFor":        func(l *Limits) { l.UnhealthyFor = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			limits := DefaultLimits()
			change(&limits)
			failed, _ := rollbacks(limits, mutationRuns*len(healthyTraces))
			_, missed, _ := caught(limits, mutationRuns)
			require.NotZero(t, failed+len(missed), "with another %s nothing is judged differently", name)
		})
	}
}
