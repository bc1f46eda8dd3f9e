package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

// shownByDefault is how many deployments history lists: a screenful.
const shownByDefault = 20

func historyVerb() verb {
	return verb{
		name: "history", args: "[ID]", usage: "what was deployed, when and by whom, and how it ended",
		about: `Lists the deployments of an environment, the newest first; with an ID, one in full: its phases, what it left, and its
error. A deployment that was killed is there as died, with the phase in which that happened.`,
		examples: []string{
			"deployer history --env staging", "deployer history --env staging --limit 5 --format json",
			"deployer history --env staging 20261123-161530-1f3a",
		},
		formats: []string{"text", "json", "yaml"},
		flags:   []cli.Flag{&cli.IntFlag{Name: "limit", Usage: "list at most so many `DEPLOYMENTS`", Value: shownByDefault}},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return historyOptions{settings: s, id: c.Args().First(), limit: c.Int("limit")}.run(ctx)
		},
	}
}

// historyOptions shows the records.
type historyOptions struct {
	settings
	id    string
	limit int
}

func (h historyOptions) run(ctx context.Context) error {
	if h.limit < 1 {
		return hint.With(fmt.Errorf("--limit %d lists nothing", h.limit), "give a number from 1 on")
	}
	return h.visit(ctx, func(env *environment.Environment, p *place) error {
		standing, err := p.locks.Get(ctx, env.Stack)
		if err != nil {
			h.warn(err) // only tells a deployment that runs from one that has died
		}
		underWay := err != nil || standing != nil && standing.State != lock.StateExpired
		if h.id != "" {
			return h.one(ctx, env, p, underWay)
		}
		records, err := p.records.List(ctx, env.Stack, h.limit)
		if err != nil {
			return err
		}
		for _, damaged := range history.UnreadableRecords(records) {
			h.warn(errors.New(damaged.Error))
		}
		if len(records) == 0 && h.format == "text" {
			_, err := fmt.Fprintf(h.out, "nothing was deployed to %s yet\n", env.Name)
			return err
		}
		return ui.History(h.out, history.MarkCrashed(records, underWay), h.format)
	})
}

// one shows a deployment in full.
func (h historyOptions) one(ctx context.Context, env *environment.Environment, p *place, underWay bool) error {
	found, err := p.records.Get(ctx, env.Stack, h.id)
	switch {
	case err != nil:
		return err
	case found == nil:
		return hint.With(fmt.Errorf("%s has no deployment %s", env.Name, h.id), "`deployer history --env "+env.Stack+"` lists them")
	case found.Outcome == history.Unreadable:
		return hint.With(errors.New(found.Error), found.Hint)
	}
	return ui.Deployment(h.out, history.MarkCrashed([]history.Deployment{*found}, underWay)[0], h.format)
}
