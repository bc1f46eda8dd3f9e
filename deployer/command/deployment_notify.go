package command

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/notify"
	"github.com/balancer/v3-backend-infra/deployer/release"
)

// How long a command waits at its end for messages that are not posted yet, and how long after an interruption.
const (
	notifyWait            = 5 * time.Second
	notifyWaitInterrupted = time.Second
)

func deploymentNotifyFlag() cli.Flag {
	const usage = "post the start, a failure with its cause, a rollback and the end to the webhook `URL`"
	return &cli.StringFlag{Name: "notify", Usage: usage}
}

// parseNotify returns the webhook of --notify, nil without one.
func parseNotify(address string) (*notify.Webhook, error) {
	address = strings.TrimSpace(address) // a secret of a CI system often ends with a newline
	if address == "" {
		return nil, nil
	}
	webhook, err := notify.ParseWebhook(address)
	if err != nil {
		name := "--notify"
		if strings.TrimSpace(os.Getenv(variable("notify"))) == address {
			name = variable("notify")
		}
		return nil, hint.With(fmt.Errorf("%s: %w", name, err), "give the whole URL, such as https://hooks.slack.com/…")
	}
	return &webhook, nil
}

// A deploymentNotifier posts the events of a deployment to a webhook. A nil one posts none.
type deploymentNotifier struct {
	queue    *notify.Queue
	terminal *terminal
	// clock is the account's, as in records.
	clock clock.Clock
	// record is that of the deployment when it started; nil before.
	record *history.Deployment
	// failed are the phases that failed so far.
	failed []history.Phase
}

// withNotifier runs a deployment, and then waits for a short time until its messages are posted: no lock is held by then. What
// could not be posted is reported, and changes nothing of the outcome.
func (s *services) withNotifier(ctx context.Context, address string, run func(*deploymentNotifier) error) error {
	webhook, err := parseNotify(address)
	if err != nil {
		return err
	}
	if webhook == nil {
		return run(nil)
	}
	n := &deploymentNotifier{queue: notify.NewQueue(*webhook), terminal: s.terminal, clock: clock.Real()}
	err = run(n)
	n.close(ctx)
	return err
}

// close waits until the messages are posted, and for a shorter time once ctx ends, be it before or during the wait.
func (n *deploymentNotifier) close(ctx context.Context) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyWait)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(notifyWaitInterrupted, cancel) })
	defer stop()
	failures := n.queue.Close(limited, func(what string) {
		n.terminal.log(fmt.Sprintf("waiting for at most %s to post %s; Ctrl-C shortens that to %s", notifyWait, what, notifyWaitInterrupted))
	})
	for _, failure := range failures {
		printError(n.terminal.err, failure)
	}
}

// started posts that a deployment has passed preflight.
func (n *deploymentNotifier) started(d history.Deployment) {
	n.record = &d
	n.post(notify.Started, d)
}

// watch passes events on, and posts that an automatic rollback starts, with the failure.
func (n *deploymentNotifier) watch(report release.Reporter) release.Reporter {
	if n == nil {
		return report
	}
	return func(e release.Event) {
		report(e)
		switch {
		case e.Kind == release.PhaseEnded && e.Outcome == history.Failed:
			n.failed = append(n.failed, history.Phase{Name: e.Phase, Outcome: e.Outcome, Message: e.Message})
		case e.Kind == release.PhaseStarted && e.Phase == release.RollbackPhase && n.record != nil && len(n.failed) > 0:
			d := *n.record
			d.RolledBackTo = e.Image
			d.Phases, d.Error = n.failed, n.failed[len(n.failed)-1].Message+"\n"+e.Message
			n.post(notify.RollingBack, d)
		}
	}
}

// ended posts the outcome; of a dry run nothing.
func (n *deploymentNotifier) ended(d history.Deployment) {
	if n != nil && !d.DryRun {
		n.post(notify.EndOf(d, n.record != nil), d)
	}
}

func (n *deploymentNotifier) post(event notify.DeploymentEvent, d history.Deployment) {
	d = release.WithoutLogExcerpts(n.terminal.flags.addToRecord(d))
	n.queue.Add(notify.NewDeploymentMessage(event, d, runURL(os.Getenv), n.clock.Now()))
}
