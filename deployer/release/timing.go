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

// Bounds of what is worth telling, on the environment's clock.
const (
	// longDeployment is how long a deployment takes of which people ask where the time went.
	longDeployment = time.Minute
	// minSaving is what a setting has to save, and leastShare which part of the whole.
	minSaving = 10 * time.Second
	minShare  = 0.1
)

// span is a time on a stopwatch, or what passed between two.
type span struct {
	// elapsed and waited are on the machine's clock; asked is how long was to be waited, on the environment's.
	elapsed, waited, requested time.Duration
}

func (l span) sub(earlier span) span {
	return span{l.elapsed - earlier.elapsed, l.waited - earlier.waited, l.requested - earlier.requested}
}

// scaled is the lap on the environment's clock: waits in a simulated account take a part of what they say.
func (l span) scaled() time.Duration { return l.elapsed - l.waited + max(l.waited, l.requested) }

// timingClock is a clock that knows how much time was spent waiting on it.
type timingClock struct {
	clock.Clock
	mu                sync.Mutex
	waited, requested time.Duration
}

// Wait implements clock.Clock.
func (s *timingClock) Wait(ctx context.Context, d time.Duration) error {
	start := s.Now()
	err := s.Clock.Wait(ctx, d)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waited += s.Now().Sub(start)
	s.requested += d
	return err
}

func (s *timingClock) read() span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return span{s.Now().Sub(time.Unix(0, 0)), s.waited, s.requested}
}

// readClock is the time on a clock that is a stopwatch; on another, waits are not told apart.
func readClock(c clock.Clock) span {
	if timing, ok := c.(*timingClock); ok {
		return timing.read()
	}
	return span{elapsed: c.Now().Sub(time.Unix(0, 0))}
}

// phaseTimings is where the time of a deployment went.
type phaseTimings struct {
	phases map[string]span
	// infrastructureChanges counts the changes that made more than a deployment of code necessary.
	infrastructureChanges int
}

func (b *phaseTimings) add(phase string, took span) {
	if b.phases == nil {
		b.phases = map[string]span{}
	}
	b.phases[phase] = took
}

// candidate is a setting, and the time that it would have saved.
type candidate struct {
	setting, why string
	time         span
}

// saving is the setting that would have saved most of a deployment that went well; nil where none is worth telling. It
// speaks only of what this deployment measured, and takes no safety away that the environment asks for.
func (b phaseTimings) saving(env *environment.Environment, d history.Deployment, total span) *history.Saving {
	candidates := slices.DeleteFunc(b.candidates(env, d), func(c candidate) bool {
		saved := c.time.scaled()
		return saved < minSaving || saved.Seconds() < minShare*total.scaled().Seconds()
	})
	if len(candidates) == 0 {
		return nil
	}
	best := slices.MaxFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.time.scaled(), b.time.scaled()) })
	return &history.Saving{Setting: best.setting, Why: best.why, Seconds: best.time.elapsed.Seconds()}
}

func (b phaseTimings) candidates(env *environment.Environment, d history.Deployment) []candidate {
	var list []candidate
	add := func(setting, why string, phases ...string) {
		c := candidate{setting: setting, why: why}
		for _, name := range phases {
			took := b.phases[name]
			c.time = span{c.time.elapsed + took.elapsed, c.time.waited + took.waited, c.time.requested + took.requested}
		}
		list = append(list, c)
	}
	if d.Migration != nil && d.Migration.NoChanges {
		if d.Snapshot != "" {
			add("--skip backup,migrate", "this image brought no migration, so that nothing could happen to the database", Backup, Migrate)
		} else {
			add("--skip migrate", "this image brought no migration", Migrate)
		}
	}
	if d.Snapshot != "" && !env.Protected && env.Database.BackupDays > 0 {
		add("deployment.backup: none", "RDS's own backups go back to any second of the last days, and "+env.Name+" is not protected", Backup)
	}
	if d.Kind == history.Full && phaseSucceeded(d, Provision) && b.infrastructureChanges == 0 {
		add("--code-only", "nothing of the infrastructure had to be changed", Provision)
	}
	if health := b.phases[Health]; health.requested > 0 {
		// It answered well some time between the last two tries: in the middle, for all that is known.
		halves := 2 * max(1, health.requested/env.Deployment.Health.Interval)
		half := span{health.waited / halves, health.waited / halves, health.requested / halves}
		list = append(list, candidate{"a shorter deployment.health.interval", "the API answered well between two tries", half})
	}
	return list
}

// phaseSucceeded reports whether a phase did what it is for.
func phaseSucceeded(d history.Deployment, phase string) bool {
	return slices.ContainsFunc(d.Phases, func(p history.Phase) bool { return p.Name == phase && p.Outcome == history.Succeeded })
}
