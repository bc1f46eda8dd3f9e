package lock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// leaseWorld is a state of the second model: a lock whose heartbeats fail, the deployer and the keeper that end the engine, and
// another deployer that waits. Its time advances by tick, and all its times are relative to now.
type leaseWorld struct {
	age, sent                      time.Duration // since the last heartbeat reached S3, and since the one on its way was sent; -1 without one
	deployer, keeper               permit
	deployerStopped, keeperStopped bool
	offline, engineEnded           bool
}

const tick = 20 * time.Second

var now = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

// older returns the permit after a tick. One that has been over for long stays as it is.
func older(p permit) permit {
	if now.Sub(p.start) <= 2*DefaultLeaseDuration {
		p.start = p.start.Add(-tick)
	}
	if !p.suspended.IsZero() && now.Sub(p.suspended) <= 2*DefaultLeaseDuration {
		p.suspended = p.suspended.Add(-tick)
	}
	return p
}

// leaseRules are the code's own, unless a mutation replaces one.
type leaseRules struct {
	limit  time.Duration
	keeper func(found *lockObject, start time.Time) permit
}

// next returns the states that follow, and whether another deployer could take the lock over from a living engine whose deployer
// or keeper runs.
func (r leaseRules) next(w leaseWorld) (all []leaseWorld, wrong bool) {
	if stateOf(Holder{}, w.age, DefaultLeaseDuration) == StateExpired {
		return nil, !w.engineEnded && (!w.deployerStopped || !w.keeperStopped)
	}
	add := func(change func(*leaseWorld)) {
		n := w
		change(&n)
		if n != w {
			all = append(all, n)
		}
	}
	add(func(n *leaseWorld) { n.deployerStopped = true })
	add(func(n *leaseWorld) { n.keeperStopped = true })
	add(func(n *leaseWorld) { n.offline = true })
	if !w.offline && !w.deployerStopped && w.sent < 0 {
		add(func(n *leaseWorld) { n.sent = 0 })
	}
	if w.sent >= 0 {
		add(func(n *leaseWorld) { n.age, n.deployer, n.sent = 0, permit{start: now.Add(-w.sent), left: r.limit}, -1 })
		add(func(n *leaseWorld) { n.age, n.sent = 0, -1 }) // the response is lost
		add(func(n *leaseWorld) { n.sent = -1 })           // the request is
	}
	if !w.offline && !w.keeperStopped {
		add(func(n *leaseWorld) {
			found := &lockObject{Status: Status{SinceHeartbeat: max(0, w.age-timestampError)}} // S3 rounds
			n.keeper = w.keeper.after(r.keeper(found, now), now)
		})
	}
	add(func(n *leaseWorld) {
		n.age, n.deployer, n.keeper = w.age+tick, older(w.deployer), older(w.keeper)
		if n.sent >= 0 {
			n.sent += tick
		}
		if n.sent > tick { // a heartbeat has a time limit
			n.sent = -1
		}
		const grace = DefaultLeaseDuration / renewalsPerLease
		n.engineEnded = w.engineEnded || !w.deployerStopped && n.deployer.untilLost(now, grace) <= 0 ||
			!w.keeperStopped && n.keeper.untilLost(now, grace) <= 0
	})
	return all, false
}

func (r leaseRules) search() (wrong bool, states int) {
	start := leaseWorld{sent: -1, deployer: permit{start: now, left: r.limit}, keeper: permit{start: now, left: DefaultLeaseDuration - timestampError}}
	seen, queue := map[leaseWorld]bool{start: true}, []leaseWorld{start}
	for len(queue) > 0 {
		w := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		all, wrong := r.next(w)
		if wrong {
			return true, len(seen)
		}
		for _, n := range all {
			if !seen[n] {
				seen[n] = true
				queue = append(queue, n)
			}
		}
	}
	return false, len(seen)
}

// Where the deployer or its keeper runs, and clocks are as fast as each other, the engine has ended before another deployer can
// take the lock over, whatever becomes of heartbeats, responses and the network.
func TestTheEngineEndsBeforeTheLease(t *testing.T) {
	rules := leaseRules{maxMissedRenewals * DefaultLeaseDuration / renewalsPerLease, func(found *lockObject, start time.Time) permit {
		return permitOf(found, start, DefaultLeaseDuration)
	}}
	wrong, states := rules.search()
	require.False(t, wrong)
	t.Logf("%d states", states)

	late := rules
	late.limit = 10 * DefaultLeaseDuration
	wrong, _ = late.search()
	require.True(t, wrong, "without the deployer's deadline")
	late = rules
	late.keeper = func(_ *lockObject, start time.Time) permit { return permit{start: start, left: DefaultLeaseDuration} }
	wrong, _ = late.search()
	require.True(t, wrong, "with a keeper that counts from its read")
}
