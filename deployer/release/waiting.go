package release

import (
	"context"
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/record"
)

// ahead is a look at what a full deployment would change. It is made while the rollout is watched, and so costs no time.
type ahead struct {
	cancel  context.CancelFunc
	done    chan struct{}
	changes []record.Change
	err     error
}

// lookAhead begins the look, where the deployment leaves infrastructure to another one.
func (d *deployment) lookAhead(ctx context.Context) {
	if !d.Kind.OnlyCode() {
		return
	}
	looking, cancel := context.WithCancel(ctx)
	a := &ahead{cancel: cancel, done: make(chan struct{})}
	d.ahead = a
	go func() {
		defer close(a.done)
		a.changes, a.err = d.infra.Waiting(looking, d.image.Reference)
	}()
}

// stop ends the look: the engine makes one run after the other.
func (a *ahead) stop() {
	if a != nil {
		a.cancel()
		<-a.done
	}
}

// waitingShown is how many changes are named.
const waitingShown = 10

// tellWaiting says which changes of the infrastructure are left to a full deployment.
func (d *deployment) tellWaiting() {
	if d.ahead == nil {
		return
	}
	began := d.Clock.Now()
	<-d.ahead.done
	d.record.EngineSeconds += d.Clock.Now().Sub(began).Seconds() // what of the look was not beside the rollout
	d.ahead.cancel()
	v := voice{phase: "waiting", report: d.Report, now: d.Clock.Now}
	if err := d.ahead.err; err != nil {
		d.warn(v, "whether changes of the infrastructure wait is not known: "+err.Error())
		return
	}
	d.record.Waiting = d.ahead.changes
	if len(d.ahead.changes) == 0 {
		return
	}
	v.note("%s for a full `up`:", changesWait(len(d.ahead.changes)))
	for _, change := range d.ahead.changes[:min(len(d.ahead.changes), waitingShown)] {
		v.note("  %s", change)
	}
	if left := len(d.ahead.changes) - waitingShown; left > 0 {
		v.note("  and %d more: `deployer preview --env %s` shows all", left, d.Env.Stack)
	}
}

func changesWait(n int) string {
	if n == 1 {
		return "1 change of the infrastructure waits"
	}
	return fmt.Sprintf("%d changes of the infrastructure wait", n)
}
