package release

import (
	"context"

	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// pendingChanges previews what a full deployment would change. It runs while the rollout is watched, and so costs no time.
type pendingChanges struct {
	cancel  context.CancelFunc
	done    chan struct{}
	changes []history.Change
	err     error
}

// previewPending starts the preview in the background, in a deployment of code alone.
func (d *deployment) previewPending(ctx context.Context) {
	if !d.request.Kind.IsCodeOnly() {
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

// stop cancels the preview and waits for it to end: the engine runs one operation at a time.
func (p *pendingChanges) stop() {
	if p != nil {
		p.cancel()
		<-p.done
	}
}

// maxPendingShown is how many changes are listed.
const maxPendingShown = 10

// reportPending waits for the preview and lists the changes that are left to a full deployment: those of the infrastructure, and
// after a rollback also those of the code.
func (d *deployment) reportPending() {
	if d.pending == nil {
		return
	}
	start := d.deps.Clock.Now()
	<-d.pending.done
	d.record.EngineSeconds += d.deps.Clock.Now().Sub(start).Seconds() // what of the preview outlasted the rollout
	d.pending.cancel()
	log := d.phaseLog("waiting")
	if err := d.pending.err; err != nil {
		d.warn(log, "pending changes could not be determined: "+err.Error())
		return
	}
	changes := d.pending.changes
	d.record.PendingChanges = changes
	if len(changes) == 0 {
		return
	}
	log.note("%s pending for a full deployment:",
		text.Plural(len(changes), "change is", "changes are"))
	for _, change := range changes[:min(len(changes), maxPendingShown)] {
		log.note("  %s", change)
	}
	if rest := len(changes) - maxPendingShown; rest > 0 {
		log.note("  and %d more: `deployer preview --env %s` lists all", rest, d.deps.Env.Stack)
	}
}
