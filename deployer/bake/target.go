package bake

import "time"

// BakeTarget declares what is watched after a rollout. TargetGroup and LoadBalancer are names or ARNs; "" where the environment
// has none. Alarms are names. Since is when the rollout began, For how long the new version is watched.
type BakeTarget struct { //nolint:revive // a Target is one of a target group
	Cluster      string
	Services     []string
	TargetGroup  string
	LoadBalancer string
	Alarms       []string
	Since        time.Time
	For          time.Duration
	// Except are times before Since in which a version that failed may have served: the bake is not compared with them.
	Except []Period
}

// A Period begins at From and ends before Until.
type Period struct{ From, Until time.Time }

// includes reports whether a part of a minute is in the period.
func (p Period) includes(minute time.Time) bool {
	return minute.Add(time.Minute).After(p.From) && minute.Before(p.Until)
}

const (
	// baselineLength is what the bake is compared with: as long before the rollout, without the target's exceptions.
	baselineLength = time.Hour
	// maxBaselineAge is how long before the rollout it begins at most.
	maxBaselineAge = 24 * time.Hour
)

// baselineStart returns when the time before the rollout begins that the bake is compared with. The exceptions are sorted, the newest first.
func baselineStart(until time.Time, except []Period) time.Time {
	from, missing := until, baselineLength
	for _, p := range except {
		usual := from.Sub(p.Until)
		if usual >= missing {
			break
		}
		missing -= max(usual, 0)
		if p.From.Before(from) {
			from = p.From
		}
	}
	from = from.Add(-missing)
	if oldest := until.Add(-maxBaselineAge); from.Before(oldest) {
		return oldest
	}
	return from
}
