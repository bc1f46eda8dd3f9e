package bake

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/internal/awsx/expiry"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

const (
	// pollInterval is the wait between two polls.
	pollInterval = 15 * time.Second
	// metricsDelay is how long after its end a minute's metrics are read: CloudWatch has most of them after two minutes. What it
	// adds later is read again.
	// Source: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
	metricsDelay = 2 * time.Minute
	// lateMinutes is for how many minutes metrics are read again.
	lateMinutes = 3
	// minErrorMinutes is how many minutes the share of 5xx needs at least: one of them alone does not decide.
	minErrorMinutes = 2
	// drainTime is how long a version may still answer after it was rolled back.
	drainTime = time.Minute
	// unreadAfter is how long what AWS does not let the deployer read may be old before the bake counts as not judged by it.
	unreadAfter = time.Minute
)

// A Watcher watches a new version with the SDK's configuration, on a clock.
type Watcher struct {
	AWS   aws.Config
	Clock clock.Clock
}

// Watch polls until the version has failed, or the target's time is over and the metrics of its last minute were read. It reports
// its progress once a minute. What cannot be read is tried again at each poll, and is a warning of the verdict where it was not
// read at the end. The error is that of a context that was cancelled, or of credentials that have expired.
func (w *Watcher) Watch(ctx context.Context, target BakeTarget, report func(string)) (Verdict, error) {
	run, scale := w.newRun(target, report)
	for {
		now := scale.environment(w.Clock.Now())
		run.poll(ctx, now)
		if ctx.Err() != nil {
			return Verdict{}, ctx.Err()
		}
		if err := run.expired(); err != nil {
			return Verdict{}, err
		}
		verdict := Judge(run.before, run.samples, run.limits)
		if verdict.Failed || !now.Before(run.end()) {
			verdict.Warnings = slices.Concat(verdict.Warnings, run.notJudged(now))
			if !verdict.Failed {
				verdict.Warnings = append(verdict.Warnings, run.tooShort()...)
			}
			verdict.Unjudged = run.unjudged()
			return verdict, nil
		}
		run.reportProgress(now, verdict)
		if err := w.Clock.Wait(ctx, pollInterval); err != nil {
			return Verdict{}, err
		}
	}
}

// A run holds the state of one bake. Its times are the environment's.
type run struct {
	reader *Reader
	target BakeTarget
	limits Limits
	report func(string)
	start  time.Time
	before Baseline
	except []Period
	// baselineRead reports that before has its minutes, metricsUntil up to when metrics of the bake were read.
	baselineRead bool
	metricsUntil time.Time
	samples      []Sample
	// sources are what is read, by name; missingAlarms do not exist.
	sources       map[string]*source
	missingAlarms []string
	reported      time.Time
}

// A source is read at each poll: err is the error of the last reading, succeeded the time of the last without one.
type source struct {
	err       error
	succeeded time.Time
}

// The names of the sources, as messages have them.
const (
	sourceAlarms   = "the alarms"
	sourceStops    = "the tasks that stop"
	sourceTargets  = "the targets"
	sourceMetrics  = "the metrics"
	sourceBaseline = "the hour before"
)

// newRun returns the begin of a bake.
func (w *Watcher) newRun(target BakeTarget, report func(string)) (*run, timescale) {
	speed := clock.Speed(w.Clock)
	scale := newTimescale(target.Since, speed)
	return &run{
		reader: NewReader(w.AWS, target, speed), target: target, limits: DefaultLimits(), report: report,
		start:  scale.environment(w.Clock.Now()),
		before: Baseline{Until: scale.environment(target.Since), WithoutBalancer: target.TargetGroup == ""},
		except: list.Map(target.Except, func(p Period) Period {
			return Period{scale.environment(p.From), scale.environment(p.Until).Add(drainTime)}
		}),
		sources: map[string]*source{},
	}, scale
}

// end returns when the metrics of the last minute of the bake can be read.
func (r *run) end() time.Time {
	last := r.start.Add(r.target.For)
	if whole := last.Truncate(time.Minute); whole.Before(last) {
		last = whole.Add(time.Minute)
	}
	return last.Add(metricsDelay)
}

// poll adds a sample. What cannot be read is missing in it.
func (r *run) poll(ctx context.Context, now time.Time) {
	s := Sample{At: now}
	r.read(sourceAlarms, now, func() (err error) {
		s.Alarms, r.missingAlarms, err = r.reader.Alarms(ctx)
		return err
	})
	r.read(sourceStops, now, func() (err error) {
		s.Stops, err = r.reader.Stops(ctx, r.start)
		return err
	})
	r.read(sourceTargets, now, func() (err error) {
		s.Targets, err = r.reader.Targets(ctx)
		return err
	})
	if !r.baselineRead {
		r.read(sourceBaseline, now, func() (err error) {
			until := r.before.Until.Truncate(time.Minute)
			read, err := r.reader.Minutes(ctx, baselineStart(until, r.except).Truncate(time.Minute), until)
			r.before.Minutes = list.Filter(read, func(m Minute) bool {
				return !slices.ContainsFunc(r.except, func(p Period) bool { return p.includes(m.Start) })
			})
			r.baselineRead = err == nil
			return err
		})
	}
	if until := now.Add(-metricsDelay).Truncate(time.Minute); until.After(r.metricsUntil) && until.After(r.start) {
		r.read(sourceMetrics, now, func() (err error) {
			from := r.start.Truncate(time.Minute)
			if again := r.metricsUntil.Add(-lateMinutes * time.Minute); again.After(from) {
				from = again
			}
			if s.Minutes, err = r.reader.Minutes(ctx, from, until); err == nil {
				r.metricsUntil = until
			}
			return err
		})
	}
	r.samples = append(r.samples, s)
}

// read reads a source, and reports the first of its errors in a row.
func (r *run) read(name string, now time.Time, read func() error) {
	s := r.sources[name]
	if s == nil {
		s = &source{}
		r.sources[name] = s
	}
	err := read()
	if err != nil && s.err == nil {
		r.report(fmt.Sprintf("%s cannot be read, trying again: %s", name, text.FirstLine(err.Error())))
	}
	if s.err = err; err == nil {
		s.succeeded = now
	}
}

// notJudged returns a warning about each source that could not be read at the end, about alarms that do not exist, and where
// CloudWatch has no metrics. Where the metrics could not be read, those of the hour before are not worth a warning of their own.
func (r *run) notJudged(now time.Time) []string {
	var warnings []string
	metrics := r.sources[sourceMetrics]
	for _, name := range []string{sourceAlarms, sourceStops, sourceTargets, sourceBaseline, sourceMetrics} {
		s := r.sources[name]
		switch {
		case s == nil || s.err == nil, name == sourceBaseline && metrics != nil && metrics.err != nil:
		case s.succeeded.IsZero():
			warnings = append(warnings, fmt.Sprintf("%s could not be read, and so not judged: %s", name, text.FirstLine(s.err.Error())))
		case now.Sub(s.succeeded) >= unreadAfter:
			warnings = append(warnings, fmt.Sprintf("%s could not be read in the last %s, and so not judged then: %s", name,
				text.Duration(now.Sub(s.succeeded)), text.FirstLine(s.err.Error())))
		}
	}
	for _, name := range r.missingAlarms {
		warnings = append(warnings, fmt.Sprintf("alarm %s does not exist and was not judged", name))
	}
	hasMinutes := func(s Sample) bool { return len(s.Minutes) > 0 }
	if metrics != nil && metrics.err == nil && !slices.ContainsFunc(r.samples, hasMinutes) {
		warnings = append(warnings, "CloudWatch has no metrics of the new version, so that 5xx, latency and memory were not judged")
	}
	return warnings
}

// expired returns the error of a reading that AWS rejected because the credentials have expired: no later one succeeds.
func (r *run) expired() error {
	for _, s := range r.sources {
		if expiry.IsError(s.err) {
			return s.err
		}
	}
	return nil
}

// unjudged returns which of the alarms and the metrics were never read; "" where both were.
func (r *run) unjudged() string {
	var never []string
	for _, name := range []string{sourceAlarms, sourceMetrics} {
		if s := r.sources[name]; s != nil && s.succeeded.IsZero() {
			never = append(never, name)
		}
	}
	return text.Join(never, "and")
}

// tooShort returns a warning of what the bake was too short to judge, by how many minutes each is judged.
func (r *run) tooShort() []string {
	var short []string
	longest := 0
	add := func(what string, minutes int) {
		if longest = max(longest, minutes); r.target.For < r.limits.Settle+time.Duration(minutes)*time.Minute {
			short = append(short, what)
		}
	}
	if !r.before.WithoutBalancer {
		add("5xx", minErrorMinutes)
		add("latency", r.limits.SlowMinutes)
	}
	if len(r.target.Services) > 0 {
		add("memory", r.limits.MemoryMinutes)
	}
	if len(short) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("a bake of %s is too short to judge %s: set deployment.rollout.bake to at least %s",
		text.Duration(r.target.For), text.Join(short, "or"), text.Duration(r.limits.Settle+time.Duration(longest)*time.Minute))}
}

// reportProgress reports once a minute how much time has passed, and what was observed or is waited for.
func (r *run) reportProgress(now time.Time, verdict Verdict) {
	if !r.reported.IsZero() && now.Sub(r.reported) < time.Minute {
		return
	}
	r.reported = now
	passed := min(now.Sub(r.start), r.target.For)
	progress := fmt.Sprintf("%s of %s watched", text.Duration(passed), text.Duration(r.target.For))
	switch {
	case passed == r.target.For:
		progress += ", waiting for the metrics of the last minute"
	case verdict.Summary == "":
		progress += fmt.Sprintf(", waiting for the first metrics, which take %s", text.Duration(metricsDelay+r.limits.Settle))
	}
	if verdict.Summary != "" {
		progress += "; " + verdict.Summary
	}
	r.report(progress)
}
