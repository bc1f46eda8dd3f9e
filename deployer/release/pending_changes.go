package release

import (
	"context"
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// pendingChanges is a look at what a full deployment would change. It is made while the rollout is watched, and so costs no time.
type pendingChanges struct {
	cancel  context.CancelFunc
	done    chan struct{}
	changes []history.Change
	err     error
}

// previewPending begins the look, where the deployment leaves infrastructure to another one.
func (d *deployment) previewPending(ctx context.Context) {
	if !d.Kind.IsCodeOnly() {
		return
	}
	previewCtx, cancel := context.WithCancel(ctx)
	p := &pendingChanges{cancel: cancel, done: make(chan struct{})}
	d.pending = p
	go func() {
		defer close(p.done)
		p.changes, p.err = d.infra.PendingChanges(previewCtx, d.image.Reference)
	}()
}

// stop ends the look: the engine makes one run after the other.
func (p *pendingChanges) stop() {
	if p != nil {
		p.cancel()
		<-p.done
	}
}

// maxPendingShown is how many changes are named.
const maxPendingShown = 10

// reportPending says which changes of the infrastructure are left to a full deployment.
func (d *deployment) reportPending() {
	if d.pending == nil {
		return
	}
	start := d.Clock.Now()
	<-d.pending.done
	d.record.EngineSeconds += d.Clock.Now().Sub(start).Seconds() // what of the look was not beside the rollout
	d.pending.cancel()
	log := phaseLog{phase: "waiting", report: d.Report, now: d.Clock.Now}
	if err := d.pending.err; err != nil {
		d.warn(log, "whether changes of the infrastructure wait is not known: "+err.Error())
		return
	}
	d.record.PendingChanges = d.pending.changes
	if len(d.pending.changes) == 0 {
		return
	}
	log.note("%s for a full `up`:", pendingText(len(d.pending.changes)))
	for _, change := range d.pending.changes[:min(len(d.pending.changes), maxPendingShown)] {
		log.note("  %s", change)
	}
	if rest := len(d.pending.changes) - maxPendingShown; rest > 0 {
		log.note("  and %d more: `deployer preview --env %s` shows all", rest, d.Env.Stack)
	}
}

func pendingText(n int) string {
	if n == 1 {
		return "1 change of the infrastructure waits"
	}
	return fmt.Sprintf("%d changes of the infrastructure wait", n)
}
