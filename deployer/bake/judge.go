package bake

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// A Minute holds what CloudWatch has of one minute, which begins at Start.
type Minute struct {
	Start time.Time
	// Requests is the number of requests, Errors how many of them were answered with a 5xx, by the application or by the load
	// balancer.
	Requests, Errors int
	// P95 is the 95th percentile of the application's response time; 0 where there is none.
	P95 time.Duration
	// Memory is the share of its memory that the fullest task of each service used, in percent.
	Memory map[string]float64
}

// An Alarm is in alarm since a time.
type Alarm struct {
	Name, Reason string
	Since        time.Time
}

// A Stop is a task of the new version that stopped during the bake. AnyImage reports that another image would stop as well.
type Stop struct {
	Service, Task, Cause string
	AnyImage             bool
	// At is when it stopped. Memory is the memory of the task in MiB, "" unless it ran out of it.
	At     time.Time
	Memory string
}

// A Target is a task in the target group. Failing reports that it does not pass its health checks.
type Target struct {
	ID, Reason       string
	Healthy, Failing bool
}

// A Sample is what one poll observed. A list is nil where it could not be read.
type Sample struct {
	At      time.Time
	Alarms  []Alarm
	Stops   []Stop
	Targets []Target
	// Minutes are those that were complete. One that an earlier sample has as well may have more requests now.
	Minutes []Minute
}

// A Baseline is what was observed before the rollout began at Until. WithoutBalancer reports that no load balancer sends requests
// to the services.
type Baseline struct {
	Until           time.Time
	Minutes         []Minute
	WithoutBalancer bool
}

// Judge returns whether the samples, in the order of time, show that the version fails. It depends on nothing else.
func Judge(before Baseline, samples []Sample, limits Limits) Verdict {
	if len(samples) == 0 {
		return Verdict{}
	}
	j := judge{
		limits: limits, before: distinct(before.Minutes), minutes: judgedMinutes(samples, limits), withoutBalancer: before.WithoutBalancer,
	}
	evidence := slices.Concat(
		alarmEvidence(before, samples), stopEvidence(samples), targetEvidence(samples, limits.UnhealthyFor),
		j.errorEvidence(), j.latencyEvidence(), j.memoryEvidence(),
	)
	return Verdict{Failed: len(evidence) > 0, Evidence: evidence, Summary: j.summary(), Warnings: earlierAlarms(before, samples)}
}

// judge compares the metrics of the bake with those of the hour before.
type judge struct {
	limits Limits
	// before and minutes are distinct and sorted by time.
	before, minutes []Minute
	withoutBalancer bool
}

// judgedMinutes returns the minutes of the bake that are judged: those that began when the version had settled.
func judgedMinutes(samples []Sample, limits Limits) []Minute {
	var all []Minute
	for _, s := range samples {
		all = append(all, s.Minutes...)
	}
	from := samples[0].At.Add(limits.Settle)
	return list.Filter(distinct(all), func(m Minute) bool { return !m.Start.Before(from) })
}

// distinct returns the minutes sorted by time, each once: the reading with the most requests, since CloudWatch adds late values.
func distinct(minutes []Minute) []Minute {
	sorted := slices.SortedStableFunc(slices.Values(minutes), func(a, b Minute) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(b.Requests, a.Requests))
	})
	return slices.CompactFunc(sorted, func(a, b Minute) bool { return a.Start.Equal(b.Start) })
}

// alarmEvidence returns the alarms of the latest reading that went into alarm after the rollout began.
func alarmEvidence(before Baseline, samples []Sample) []Evidence {
	var found []Evidence
	now := samples[len(samples)-1].At
	for _, a := range latestAlarms(samples) {
		if !a.Since.Before(before.Until) {
			reason := cmp.Or(a.Reason, "CloudWatch gives no reason")
			found = append(found, Evidence{KindAlarm, a.Name,
				fmt.Sprintf("alarm %s: in alarm for %s: %s", a.Name, text.Duration(now.Sub(a.Since)), reason)})
		}
	}
	return found
}

// earlierAlarms returns a warning about each alarm that the rollout cannot have caused.
func earlierAlarms(before Baseline, samples []Sample) []string {
	var found []string
	for _, a := range latestAlarms(samples) {
		if a.Since.Before(before.Until) {
			found = append(found, fmt.Sprintf("alarm %s was in alarm before the rollout and is not judged: %s", a.Name, a.Reason))
		}
	}
	return found
}

func latestAlarms(samples []Sample) []Alarm {
	for _, s := range slices.Backward(samples) {
		if s.Alarms != nil {
			return s.Alarms
		}
	}
	return nil
}

// stopEvidence returns the tasks that stopped for a cause that another image can cure, each once.
func stopEvidence(samples []Sample) []Evidence {
	var found []Evidence
	for _, s := range samples {
		for _, stop := range s.Stops {
			e := Evidence{KindTask, stop.Service,
				fmt.Sprintf("task %s of %s stopped: %s%s", stop.Task, stop.Service, stop.Cause, memoryNote(stop, samples))}
			if !stop.AnyImage && !slices.Contains(found, e) {
				found = append(found, e)
			}
		}
	}
	return found
}

// memoryNote returns the memory of a task that ran out of it, and the last reading of its service's fullest task before; "" of another stop.
func memoryNote(stop Stop, samples []Sample) string {
	if stop.Memory == "" {
		return ""
	}
	var last Minute
	for _, s := range samples {
		for _, m := range s.Minutes {
			if _, read := m.Memory[stop.Service]; read && m.Start.After(last.Start) && m.Start.Before(stop.At) {
				last = m
			}
		}
	}
	if last.Memory == nil {
		return fmt.Sprintf(" (of %s MiB)", stop.Memory)
	}
	ago := "in the same minute"
	if minutes := int(stop.At.Sub(last.Start) / time.Minute); minutes > 0 {
		ago = text.Plural(minutes, "minute", "") + " before"
	}
	return fmt.Sprintf(" (of %s MiB; %.0f %% %s)", stop.Memory, last.Memory[stop.Service], ago)
}

// targetEvidence returns the targets that have failed their health checks for long enough, and whether none is healthy.
func targetEvidence(samples []Sample, unhealthyFor time.Duration) []Evidence {
	read := list.Filter(samples, func(s Sample) bool { return s.Targets != nil })
	if len(read) == 0 {
		return nil
	}
	latest := read[len(read)-1]
	lasts := func(holds func(Sample) bool) (time.Duration, bool) {
		since := latest.At
		for _, s := range slices.Backward(read) {
			if !holds(s) {
				break
			}
			since = s.At
		}
		return latest.At.Sub(since), holds(latest) && latest.At.Sub(since) >= unhealthyFor
	}
	var found []Evidence
	for _, t := range latest.Targets {
		failing := func(s Sample) bool {
			return slices.ContainsFunc(s.Targets, func(other Target) bool { return other.ID == t.ID && other.Failing })
		}
		if since, failed := lasts(failing); failed {
			found = append(found, Evidence{KindTargets, t.ID, fmt.Sprintf("target %s: unhealthy for %s (the limit is %s): %s",
				t.ID, text.Duration(since), text.Duration(unhealthyFor), t.Reason)})
		}
	}
	none := func(s Sample) bool { return !slices.ContainsFunc(s.Targets, func(t Target) bool { return t.Healthy }) }
	if since, failed := lasts(none); failed && len(found) == 0 {
		found = append(found, Evidence{KindTargets, "", fmt.Sprintf("targets: none of %d healthy for %s (the limit is %s)",
			len(latest.Targets), text.Duration(since), text.Duration(unhealthyFor))})
	}
	return found
}

// errorEvidence returns that the share of 5xx is too high, in the last minutes or since the version settled. No single minute
// decides: without the one with the most errors, the others must have too many as well.
func (j judge) errorEvidence() []Evidence {
	for _, window := range j.windows() {
		requests, errors := totals(window)
		if requests < j.limits.MinRequests || errors < j.limits.MinErrors {
			continue
		}
		limit := j.errorLimit(requests)
		others, errorsOfOthers := totals(withoutWorst(window))
		if errors <= limit || errorsOfOthers <= j.errorLimit(others) {
			continue
		}
		return []Evidence{{KindErrors, "", fmt.Sprintf("5xx: %s in the last %s; %s; the limit was %d (%s)",
			ratio(errors, requests), minutesText(window), j.errorsBefore(), limit, percent(share(limit, requests)))}}
	}
	return nil
}

// withoutWorst returns the minutes without the one with the most errors.
func withoutWorst(window []Minute) []Minute {
	worst := 0
	for i, m := range window {
		if m.Errors > window[worst].Errors {
			worst = i
		}
	}
	return slices.Concat(window[:worst], window[worst+1:])
}

// windows returns what is judged together: the last minutes, and all of them, with which an environment of little traffic has
// enough.
func (j judge) windows() [][]Minute {
	if len(j.minutes) == 0 {
		return nil
	}
	end := j.minutes[len(j.minutes)-1].Start
	from := end.Add(-time.Duration(j.limits.Window-1) * time.Minute)
	recent := list.Filter(j.minutes, func(m Minute) bool { return !m.Start.Before(from) })
	return [][]Minute{recent, j.minutes}
}

// errorLimit returns how many of the requests may fail. One more is more than MinErrors and MinExcess allow, and is improbable by
// the share of errors of the hour before.
func (j judge) errorLimit(requests int) int {
	allRequests, allErrors := totals(j.before)
	weight := 1.0
	if float64(allRequests) > j.limits.MaxWeight {
		weight = j.limits.MaxWeight / float64(allRequests)
	}
	failing := weight*float64(allErrors) + j.limits.PriorErrors
	passing := weight*float64(allRequests-allErrors) + j.limits.PriorRequests - j.limits.PriorErrors
	floor, clustered := share(allErrors, allRequests)+j.limits.MinExcess, min(dispersion(j.before), j.limits.MaxDispersion)
	first := sort.Search(requests+1, func(n int) bool {
		return n >= j.limits.MinErrors && share(n, requests) >= floor &&
			tail(float64(n)/clustered, float64(requests)/clustered, failing, passing) < j.limits.Significance
	})
	return min(first, requests+1) - 1
}

func (j judge) errorsBefore() string {
	requests, errors := totals(j.before)
	if requests == 0 {
		return "no requests in the hour before"
	}
	return ratio(errors, requests) + " in the hour before"
}

// latencyEvidence returns that responses were too slow in each of the last minutes.
func (j judge) latencyEvidence() []Evidence {
	recent := j.recent(j.limits.SlowMinutes)
	if recent == nil {
		return nil
	}
	limit, usual := j.latencyLimit()
	fastest := time.Duration(math.MaxInt64)
	for _, m := range recent {
		if m.Requests < j.limits.MinMinuteRequests || m.P95 <= limit {
			return nil
		}
		fastest = min(fastest, m.P95)
	}
	before := "too few requests in the hour before"
	if usual > 0 {
		before = "at most " + milliseconds(usual) + " in 19 of 20 minutes of the hour before"
	}
	return []Evidence{{KindLatency, "", fmt.Sprintf("latency: p95 at least %s in each of the last %s; %s; the limit is %s",
		milliseconds(fastest), minutesText(recent), before, milliseconds(limit))}}
}

// latencyLimit returns the response time from which on a minute is slow, and the usual one of the hour before: the 95th
// percentile of its minutes; 0 where too few had enough traffic.
func (j judge) latencyLimit() (limit, usual time.Duration) {
	var known []time.Duration
	for _, m := range j.before {
		if m.Requests >= j.limits.MinMinuteRequests && m.P95 > 0 {
			known = append(known, m.P95)
		}
	}
	if len(known) < j.limits.SlowMinutes {
		return j.limits.SlowWithoutBaseline, 0
	}
	slices.Sort(known)
	usual = known[(len(known)-1)*95/100]
	return max(j.limits.SlowFloor, time.Duration(j.limits.SlowFactor*float64(usual))), usual
}

// memoryEvidence returns the services whose fullest task used too much memory in each of the last minutes.
func (j judge) memoryEvidence() []Evidence {
	recent := j.recent(j.limits.MemoryMinutes)
	if recent == nil {
		return nil
	}
	var found []Evidence
	for _, service := range slices.Sorted(maps.Keys(recent[0].Memory)) {
		before := 0.0
		for _, m := range j.before {
			before = max(before, m.Memory[service])
		}
		limit := max(j.limits.MemoryPercent, min(before+j.limits.MemoryMargin, 100))
		if before < j.limits.MemoryPercent {
			limit = j.limits.MemoryPercent
		}
		least := math.Inf(1)
		for _, m := range recent {
			least = min(least, m.Memory[service])
		}
		if least <= limit {
			continue
		}
		usual := "nothing is known of the hour before"
		if before > 0 {
			usual = fmt.Sprintf("at most %.0f %% in the hour before", before)
		}
		found = append(found, Evidence{KindMemory, service, fmt.Sprintf("memory: a task of %s used at least %.0f %% of its memory "+
			"in the last %s; %s; the limit is %.0f %%", service, least, minutesText(recent), usual, limit)})
	}
	return found
}

// recent returns the last n minutes if none of them is missing; otherwise nil.
func (j judge) recent(n int) []Minute {
	if len(j.minutes) < n {
		return nil
	}
	last := j.minutes[len(j.minutes)-n:]
	if last[n-1].Start.Sub(last[0].Start) != time.Duration(n-1)*time.Minute {
		return nil
	}
	return last
}

// summary describes what the judged minutes had, and whether too few requests to judge the share of 5xx; "" where they had
// nothing.
func (j judge) summary() string {
	if len(j.minutes) == 0 {
		return ""
	}
	requests, errors := totals(j.minutes)
	var parts []string
	switch {
	case j.withoutBalancer:
	case requests >= j.limits.MinRequests:
		parts = append(parts, "5xx: "+ratio(errors, requests))
	default:
		parts = append(parts,
			fmt.Sprintf("5xx: not judged, %s of at least %d", text.Plural(requests, "request", ""), j.limits.MinRequests))
	}
	slowest, fullest := time.Duration(0), 0.0
	for _, m := range j.minutes {
		slowest = max(slowest, m.P95)
		for _, used := range m.Memory {
			fullest = max(fullest, used)
		}
	}
	if slowest > 0 {
		parts = append(parts, "p95 at most "+milliseconds(slowest))
	}
	if fullest > 0 {
		parts = append(parts, fmt.Sprintf("memory at most %.0f %%", fullest))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + " in " + minutesText(j.minutes)
}

func totals(minutes []Minute) (requests, errors int) {
	for _, m := range minutes {
		requests += m.Requests
		errors += m.Errors
	}
	return requests, errors
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// minutesText returns how many minutes there are from the first to the last, so that one without requests counts.
func minutesText(minutes []Minute) string {
	n := int(minutes[len(minutes)-1].Start.Sub(minutes[0].Start)/time.Minute) + 1
	return text.Plural(n, "minute", "")
}

// ratio returns a count of errors as "41 of 812 requests (5.0 %)".
func ratio(errors, requests int) string {
	return fmt.Sprintf("%d of %s (%s)", errors, text.Plural(requests, "request", ""), percent(share(errors, requests)))
}

// percent returns a share with one decimal, and a small one with two, so that it does not become zero.
func percent(share float64) string {
	switch {
	case share == 0:
		return "0 %"
	case share < 0.01:
		return strconv.FormatFloat(100*share, 'f', 2, 64) + " %"
	}
	return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }
