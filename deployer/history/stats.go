package history

import (
	"math"
	"slices"
	"time"
)

// Stats holds the key figures of an environment's deployments within a period. What the records do not contain is absent.
type Stats struct {
	Environment string    `json:"environment"`
	Since       time.Time `json:"since"`
	Until       time.Time `json:"until"`
	// Begin is the start of the first record, where that is younger than the period, and Since otherwise. It is at least a week
	// before Until, or Since.
	Begin time.Time `json:"-"`
	// Deployments counts those that started within the period and have ended, Failed those of them that failed, were interrupted
	// or killed, or were rolled back.
	Deployments int `json:"deployments"`
	Failed      int `json:"failed"`
	// DeploymentsPerWeek counts from the first record, where that is younger than the period, but at least a week.
	DeploymentsPerWeek float64 `json:"deployments_per_week"`
	// FailedShare is Failed in parts of Deployments, from 0 to 1; nil without any.
	FailedShare *float64 `json:"failed_share,omitempty"`
	// MedianSeconds has the median time of the deployments that succeeded, and of each of their phases: "total" and the names
	// of phases.
	MedianSeconds map[string]float64 `json:"median_seconds"`
	// LeadSeconds is the median time from an image's creation to the end of the deployment that first verified it; nil where no
	// image has that time.
	LeadSeconds *float64 `json:"lead_seconds,omitempty"`
	// LeadUnknown is why LeadSeconds is nil; "" where it is not.
	LeadUnknown string `json:"-"`
	// RestoreSeconds is the mean time from the start of a rollout that failed until an image was verified again; nil where none
	// had to be.
	RestoreSeconds *float64 `json:"restore_seconds,omitempty"`
	// NotRestoredSince is the start of the rollout that failed and after which no image was verified; zero where one was.
	NotRestoredSince time.Time `json:"not_restored_since,omitzero"`
}

// TotalPhase declares the key of a whole deployment in Stats.MedianSeconds.
const TotalPhase = "total"

const week = 7 * 24 * time.Hour

// NewStats computes the statistics of records, the newest first, of a period. Those from before it show which images are new,
// and which rollout an image that was verified within the period restored.
func NewStats(environment string, records []Deployment, since, until time.Time) Stats {
	changes := Changes(records, since)
	leads, unknown := leadTimes(records, since)
	restored, brokenSince := restoreTimes(records, since)
	s := Stats{
		Environment: environment, Since: since.UTC(), Until: until.UTC(), Begin: begin(records, since, until).UTC(),
		Deployments: len(changes), MedianSeconds: MedianSeconds(changes),
		LeadSeconds: rounded(median(leads)), LeadUnknown: unknown,
		RestoreSeconds: rounded(mean(restored)), NotRestoredSince: brokenSince.UTC(),
	}
	for _, c := range changes {
		if c.Failed {
			s.Failed++
		}
	}
	weeks := max(1, float64(until.Sub(s.Begin))/float64(week))
	s.DeploymentsPerWeek = round(float64(s.Deployments)/weeks, 100)
	if s.Deployments > 0 {
		share := round(float64(s.Failed)/float64(s.Deployments), 1000)
		s.FailedShare = &share
	}
	return s
}

// begin returns Stats.Begin.
func begin(records []Deployment, since, until time.Time) time.Time {
	first := until.Add(-week)
	for _, d := range records {
		if !d.Started.IsZero() && d.Started.Before(first) { // a record that is unreadable has no start
			first = d.Started
		}
	}
	if first.Before(since) {
		return since
	}
	return first
}

// A DeployedChange is a deployment that statistics count.
type DeployedChange struct {
	Deployment
	// Failed reports that it failed, was interrupted or killed, or was rolled back, by itself or on request.
	Failed bool
	// RolledBack reports that a rollback on request replaced its image.
	RolledBack bool
}

// FailedPhase returns the phase that a deployment failed in, and rollback where one on request replaced it; "" where it
// succeeded.
func (c DeployedChange) FailedPhase() string {
	switch {
	case !c.Failed:
		return ""
	case c.Complete():
		return string(Rollback)
	}
	for _, p := range c.Phases {
		if p.Outcome == Failed || p.Outcome == Interrupted || p.Outcome == Crashed {
			return p.Name
		}
	}
	return string(c.Outcome)
}

// Changes returns the deployments of a period that statistics count, the newest first: those that changed an environment or
// tried to. A restart, a rollback on request, a migration, a restore, sleep, wake and a destroy are none.
func Changes(records []Deployment, since time.Time) []DeployedChange {
	replaced := replacedByRollback(records)
	var changes []DeployedChange
	for i, d := range records {
		if d.changes() && !d.Started.Before(since) {
			failed := replaced[i] || !d.Complete()
			changes = append(changes, DeployedChange{Deployment: d, RolledBack: replaced[i], Failed: failed})
		}
	}
	return changes
}

// changes reports whether a record is a deployment that statistics count. One that runs has no outcome yet.
func (d Deployment) changes() bool {
	switch d.Kind {
	case Full, CodeOnly, Components, Shared:
		return !d.Restarted && d.Outcome != Running && d.Outcome != Unreadable
	case Rollback, Migrate, Restore, Sleep, Wake, Destroy:
	}
	return false
}

// replacedByRollback returns the indexes of the deployments whose image a rollback on request replaced with an earlier one.
func replacedByRollback(records []Deployment) map[int]bool {
	replaced := map[int]bool{}
	for i, d := range records {
		if d.Kind != Rollback || d.RolledBackFrom == nil || d.Outcome == Unreadable {
			continue
		}
		deployed := func(digest string) int {
			return slices.IndexFunc(records[i+1:], func(older Deployment) bool {
				return older.changes() && older.Image.Digest == digest
			})
		}
		from, to := deployed(d.RolledBackFrom.Digest), deployed(d.Image.Digest)
		if from >= 0 && (to < 0 || to > from) { // a rollback that returns to a newer image replaces none
			replaced[i+1+from] = true
		}
	}
	return replaced
}

// MedianSeconds returns Stats.MedianSeconds of the deployments that succeeded. A phase that was skipped took no time that counts.
func MedianSeconds(changes []DeployedChange) map[string]float64 {
	seconds := map[string][]float64{}
	for _, c := range changes {
		if !c.Complete() {
			continue
		}
		seconds[TotalPhase] = append(seconds[TotalPhase], c.Ended.Sub(c.Started).Seconds())
		for _, p := range c.Phases {
			if p.Outcome == Succeeded {
				seconds[p.Name] = append(seconds[p.Name], p.Seconds)
			}
		}
	}
	all := map[string]float64{}
	for name, values := range seconds {
		all[name] = *rounded(median(values))
	}
	return all
}

// leadTimes returns the seconds from the creation of an image to the end of the deployment that first verified it, of those
// within the period, and why there are none.
func leadTimes(records []Deployment, since time.Time) (times []float64, unknown string) {
	first, dated := 0, 0 // deployments that first verified an image, and those whose image has its time
	verified := map[string]bool{}
	for _, d := range slices.Backward(records) {
		if !d.Verified || verified[d.Image.Digest] {
			continue
		}
		verified[d.Image.Digest] = true
		lead := d.Ended.Sub(d.Image.Created)
		if !d.changes() || d.Started.Before(since) {
			continue
		}
		first++
		if !d.Image.Created.IsZero() {
			dated++
			if lead > 0 {
				times = append(times, lead.Seconds())
			}
		}
	}
	switch {
	case len(times) > 0:
		return times, ""
	case first == 0:
		return nil, "no new image was verified"
	case dated == 0:
		return nil, "no record of a new image has the time of its commit or build, from its labels or configuration"
	}
	return nil, "the time of the commit or build of new images is later than their deployment"
}

// restoreTimes returns how long it took until an image was verified again, of the restorations within the period: after a
// rollout that failed, from its start; after an image that was verified and rolled back on request, from the start of that
// rollback. It also returns since when no image is verified, which is zero where one is.
func restoreTimes(records []Deployment, since time.Time) (times []float64, broken time.Time) {
	restored := func(from time.Time, d Deployment) {
		if !d.Ended.Before(since) {
			times = append(times, d.Ended.Sub(from).Seconds())
		}
		broken = time.Time{}
	}
	for _, d := range slices.Backward(records) {
		switch {
		case d.destroyed():
			broken = time.Time{}
		case d.RolledBackTo != nil && broken.IsZero():
			restored(d.rolloutStart(), d)
		case (d.Verified || d.RolledBackTo != nil) && !broken.IsZero():
			restored(broken, d)
		case d.Verified && d.Kind == Rollback:
			restored(d.Started, d)
		case !d.Verified && !d.Complete() && d.RolledOut() && d.Outcome != Running && broken.IsZero():
			broken = d.rolloutStart()
		}
	}
	return times, broken
}

// rolloutStart returns when the rollout of a deployment started.
func (d Deployment) rolloutStart() time.Time {
	at := d.Started
	for _, p := range d.Phases {
		if p.Name == "rollout" {
			break
		}
		at = at.Add(time.Duration(p.Seconds * float64(time.Second)))
	}
	return at
}

// median returns the middle value, or the mean of the two in the middle; NaN without values.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// mean returns the arithmetic mean; NaN without values.
func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// rounded returns seconds rounded to a tenth; nil of NaN.
func rounded(seconds float64) *float64 {
	if math.IsNaN(seconds) {
		return nil
	}
	seconds = round(seconds, 10)
	return &seconds
}

func round(value, parts float64) float64 { return math.Round(value*parts) / parts }
