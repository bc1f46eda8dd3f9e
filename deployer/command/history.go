package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// defaultHistoryLimit is a screenful of deployments.
const defaultHistoryLimit = 20

func historyVerb() verb {
	return verb{
		name: "history", args: "[ID]", usage: "list what was deployed, when, by whom, and the outcome",
		long: `Lists the deployments of an environment, newest first; with an ID, prints one in full: its phases, its result and its
error. A deployment that was killed is listed with the phase in which that happened.`,
		examples: []string{
			"deployer history --env staging", "deployer history --env staging --limit 5 --format json",
			"deployer history --env staging 20261123-161530-1f3a",
		},
		formats:     []string{"text", "json", "yaml"},
		takesShared: true,
		flags:       []cli.Flag{&cli.IntFlag{Name: "limit", Usage: "list the newest `N` deployments", Value: defaultHistoryLimit}},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return historyOptions{targets: s.targets, terminal: s.terminal, format: s.flags.format, id: c.Args().First(), limit: c.Int("limit")}.run(ctx)
		},
	}
}

type historyOptions struct {
	targets  *targets
	terminal *terminal
	format   string
	// id is a deployment's; "" lists them.
	id    string
	limit int
}

func (o historyOptions) run(ctx context.Context) error {
	if o.limit < 1 {
		return hint.With(fmt.Errorf("--limit %d lists nothing", o.limit), "give a number of at least 1")
	}
	return o.targets.with(ctx, o.targets.selected, func(t *target.Target) error {
		status, err := t.Locks.Get(ctx, t.Stack)
		if err != nil {
			o.terminal.warn(err) // it only distinguishes a running deployment from one that crashed
		}
		running := err != nil || status != nil && status.State != lock.StateExpired
		if o.id != "" {
			return o.printOne(ctx, t, running)
		}
		records, err := t.Records.List(ctx, t.Stack, o.limit)
		if err != nil {
			return err
		}
		for _, damaged := range history.UnreadableRecords(records) {
			o.terminal.warn(errors.New(damaged.Error))
		}
		if len(records) == 0 && o.format == "text" {
			o.terminal.printf("nothing was deployed to %s yet\n", t.Name)
			return nil
		}
		err = ui.History(o.terminal.out, list.Map(history.MarkCrashed(records, running), o.terminal.flags.addToRecord), o.format, o.terminal.style())
		if t.Simulated != nil && o.format == "text" {
			o.terminal.printf("all of them in the simulated account\n")
		}
		return err
	})
}

// printOne prints a deployment in full.
func (o historyOptions) printOne(ctx context.Context, t *target.Target, running bool) error {
	found, err := t.Records.Get(ctx, t.Stack, o.id)
	switch {
	case err != nil:
		return err
	case found == nil:
		return hint.With(fmt.Errorf("%s has no deployment %s", t.Name, o.id), "`deployer history --env "+t.Stack+"` lists them")
	case found.Outcome == history.Unreadable:
		return hint.With(errors.New(found.Error), found.Hint)
	}
	return ui.Deployment(o.terminal.out, o.terminal.flags.addToRecord(history.MarkCrashed([]history.Deployment{*found}, running)[0]), o.format, o.terminal.style())
}
