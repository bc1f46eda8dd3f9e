package release

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/record"
	"github.com/balancer/v3-backend-infra/environment"
)

// Bounds of what is worth telling, on the environment's clock.
const (
	// longDeployment is how long a deployment takes of which people ask where the time went.
	longDeployment = time.Minute
	// leastSaving is what a setting has to save, and leastShare which part of the whole.
	leastSaving = 10 * time.Second
	leastShare  = 0.1
)

// lap is a time on a stopwatch, or what passed between two.
type lap struct {
	// passed and waited are on the machine's clock; asked is how long was to be waited, on the environment's.
	passed, waited, asked time.Duration
}

func (l lap) since(earlier lap) lap {
	return lap{l.passed - earlier.passed, l.waited - earlier.waited, l.asked - earlier.asked}
}

// clocked is the lap on the environment's clock: waits in a simulated account take a part of what they say.
func (l lap) clocked() time.Duration { return l.passed - l.waited + max(l.waited, l.asked) }

// stopwatch is a clock that knows how much time was spent waiting on it.
type stopwatch struct {
	clock.Clock
	mu            sync.Mutex
	waited, asked time.Duration
}

// Wait implements clock.Clock.
func (s *stopwatch) Wait(ctx context.Context, d time.Duration) error {
	began := s.Now()
	err := s.Clock.Wait(ctx, d)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waited += s.Now().Sub(began)
	s.asked += d
	return err
}

func (s *stopwatch) lap() lap {
	s.mu.Lock()
	defer s.mu.Unlock()
	return lap{s.Now().Sub(time.Unix(0, 0)), s.waited, s.asked}
}

// lapOf is the time on a clock that is a stopwatch; on another, waits are not told apart.
func lapOf(c clock.Clock) lap {
	if watch, ok := c.(*stopwatch); ok {
		return watch.lap()
	}
	return lap{passed: c.Now().Sub(time.Unix(0, 0))}
}

// budget is where the time of a deployment went.
type budget struct {
	phases map[string]lap
	// beyond counts the changes that made more than a deployment of code necessary.
	beyond int
}

func (b *budget) add(phase string, took lap) {
	if b.phases == nil {
		b.phases = map[string]lap{}
	}
	b.phases[phase] = took
}

// candidate is a setting, and the time that it would have saved.
type candidate struct {
	setting, why string
	time         lap
}

// saving is the setting that would have saved most of a deployment that went well; nil where none is worth telling. It
// speaks only of what this deployment measured, and takes no safety away that the environment asks for.
func (b budget) saving(env *environment.Environment, d record.Deployment, whole lap) *record.Saving {
	candidates := slices.DeleteFunc(b.candidates(env, d), func(c candidate) bool {
		saved := c.time.clocked()
		return saved < leastSaving || saved.Seconds() < leastShare*whole.clocked().Seconds()
	})
	if len(candidates) == 0 {
		return nil
	}
	best := slices.MaxFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.time.clocked(), b.time.clocked()) })
	return &record.Saving{Setting: best.setting, Why: best.why, Seconds: best.time.passed.Seconds()}
}

func (b budget) candidates(env *environment.Environment, d record.Deployment) []candidate {
	var list []candidate
	add := func(setting, why string, phases ...string) {
		c := candidate{setting: setting, why: why}
		for _, name := range phases {
			took := b.phases[name]
			c.time = lap{c.time.passed + took.passed, c.time.waited + took.waited, c.time.asked + took.asked}
		}
		list = append(list, c)
	}
	if d.Migration != nil && d.Migration.Nothing {
		if d.Snapshot != "" {
			add("--skip backup,migrate", "this image brought no migration, so that nothing could happen to the database", Backup, Migrate)
		} else {
			add("--skip migrate", "this image brought no migration", Migrate)
		}
	}
	if d.Snapshot != "" && !env.Protected && env.Database.BackupDays > 0 {
		add("deployment.backup: none", "RDS's own backups go back to any second of the last days, and "+env.Name+" is not protected", Backup)
	}
	if d.Kind == record.Full && ended(d, Provision) && b.beyond == 0 {
		add("--code-only", "nothing of the infrastructure had to be changed", Provision)
	}
	if waits := b.phases[HealthOf]; waits.asked > 0 {
		// It answered well some time between the last two tries: in the middle, for all that is known.
		halves := 2 * max(1, waits.asked/env.Deployment.Health.Interval)
		half := lap{waits.waited / halves, waits.waited / halves, waits.asked / halves}
		list = append(list, candidate{"a shorter deployment.health.interval", "the API answered well between two tries", half})
	}
	return list
}

// ended reports whether a phase did what it is for.
func ended(d record.Deployment, phase string) bool {
	return slices.ContainsFunc(d.Phases, func(p record.Phase) bool { return p.Name == phase && p.Outcome == record.Succeeded })
}
