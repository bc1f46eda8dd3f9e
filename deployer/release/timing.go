package release

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/environment"
)

// Durations on the environment's clock.
const (
	// longDeployment is the duration from which a deployment reports where its time went.
	longDeployment = time.Minute
	// minSaving and minShare of the total are what a setting must save to be suggested.
	minSaving = 10 * time.Second
	minShare  = 0.1
)

// span is a reading of a timingClock, or what passed between two.
type span struct {
	// elapsed and waited are on the machine's clock; requested is how long was to be waited, on the environment's.
	elapsed, waited, requested time.Duration
}

func (s span) sub(earlier span) span {
	return span{s.elapsed - earlier.elapsed, s.waited - earlier.waited, s.requested - earlier.requested}
}

// scaled returns the span on the environment's clock: waits in a simulated account take less than was requested.
func (s span) scaled() time.Duration { return s.elapsed - s.waited + max(s.waited, s.requested) }

// timingClock is a clock that measures the time spent waiting on it.
type timingClock struct {
	clock.Clock
	mu                sync.Mutex
	waited, requested time.Duration
}

// Speed returns that of the clock that is measured.
func (c *timingClock) Speed() int { return clock.Speed(c.Clock) }

// Wait implements clock.Clock.
func (c *timingClock) Wait(ctx context.Context, d time.Duration) error {
	start := c.Now()
	err := c.Clock.Wait(ctx, d)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waited += c.Now().Sub(start)
	c.requested += d
	return err
}

func (c *timingClock) read() span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return span{c.Now().Sub(time.Unix(0, 0)), c.waited, c.requested}
}

// readClock reads a clock; one that is no timingClock has no waits.
func readClock(c clock.Clock) span {
	if timing, ok := c.(*timingClock); ok {
		return timing.read()
	}
	return span{elapsed: c.Now().Sub(time.Unix(0, 0))}
}

// phaseTimings is where the time of a deployment went.
type phaseTimings struct {
	phases map[string]span
	// infrastructureChanges counts the changes that a deployment of code alone would not contain.
	infrastructureChanges int
}

func (t *phaseTimings) add(phase string, took span) {
	if t.phases == nil {
		t.phases = map[string]span{}
	}
	t.phases[phase] = took
}

// candidate is a setting, and the time that it would have saved.
type candidate struct {
	setting, why string
	time         span
}

// saving returns the setting that would have saved most of a deployment that succeeded; nil where none is worth suggesting. It
// considers only what this deployment measured, and no protection that the environment asks for.
func (t phaseTimings) saving(env *environment.Environment, d history.Deployment, total span) *history.Saving {
	candidates := slices.DeleteFunc(t.candidates(env, d), func(c candidate) bool {
		saved := c.time.scaled()
		return saved < minSaving || saved.Seconds() < minShare*total.scaled().Seconds()
	})
	if len(candidates) == 0 {
		return nil
	}
	best := slices.MaxFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.time.scaled(), b.time.scaled()) })
	return &history.Saving{Setting: best.setting, Why: best.why, Seconds: best.time.elapsed.Seconds()}
}

func (t phaseTimings) candidates(env *environment.Environment, d history.Deployment) []candidate {
	var list []candidate
	add := func(setting, why string, phases ...string) {
		c := candidate{setting: setting, why: why}
		for _, name := range phases {
			took := t.phases[name]
			c.time = span{c.time.elapsed + took.elapsed, c.time.waited + took.waited, c.time.requested + took.requested}
		}
		list = append(list, c)
	}
	if d.Snapshot != "" && !env.Protected && env.Database.BackupDays > 0 {
		add("deployment.backup: none", "RDS can restore to any second of the last days, and "+env.Name+" is not protected", Backup)
	}
	provisioned := slices.ContainsFunc(d.Phases, func(p history.Phase) bool { return p.Name == Provision && p.Outcome == history.Succeeded })
	if d.Kind == history.Full && provisioned && t.infrastructureChanges == 0 {
		add("--code-only", "no infrastructure had to change", Provision)
	}
	if health := t.phases[Health]; health.requested > 0 {
		// The API became healthy between the last two tries: on average halfway.
		halves := 2 * max(1, health.requested/env.Deployment.Health.Interval)
		half := span{health.waited / halves, health.waited / halves, health.requested / halves}
		list = append(list, candidate{"a shorter deployment.health.interval", "the API became healthy between two tries", half})
	}
	return list
}
