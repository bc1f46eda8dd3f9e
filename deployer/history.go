package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/advice"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/record"
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
			return history{settings: s, id: c.Args().First(), limit: c.Int("limit")}.run(ctx)
		},
	}
}

// history shows the records.
type history struct {
	settings
	id    string
	limit int
}

func (h history) run(ctx context.Context) error {
	if h.limit < 1 {
		return advice.With(fmt.Errorf("--limit %d lists nothing", h.limit), "give a number from 1 on")
	}
	return h.visit(ctx, func(env *environment.Environment, p *place) error {
		standing, err := p.locks.Look(ctx, env.Stack)
		if err != nil {
			h.warn(err) // only tells a deployment that runs from one that has died
		}
		underWay := err != nil || standing != nil && standing.Condition != lock.Dead
		if h.id != "" {
			return h.one(ctx, env, p, underWay)
		}
		records, err := p.records.List(ctx, env.Stack, h.limit)
		if err != nil {
			return err
		}
		for _, damaged := range record.Damaged(records) {
			h.warn(errors.New(damaged.Error))
		}
		if len(records) == 0 && h.format == "text" {
			_, err := fmt.Fprintf(h.out, "nothing was deployed to %s yet\n", env.Name)
			return err
		}
		return ui.History(h.out, record.Settle(records, underWay), h.format)
	})
}

// one shows a deployment in full.
func (h history) one(ctx context.Context, env *environment.Environment, p *place, underWay bool) error {
	found, err := p.records.Get(ctx, env.Stack, h.id)
	switch {
	case err != nil:
		return err
	case found == nil:
		return advice.With(fmt.Errorf("%s has no deployment %s", env.Name, h.id), "`deployer history --env "+env.Stack+"` lists them")
	case found.Outcome == record.Unreadable:
		return advice.With(errors.New(found.Error), found.Hint)
	}
	return ui.Deployment(h.out, record.Settle([]record.Deployment{*found}, underWay)[0], h.format)
}
