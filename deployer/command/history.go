package command

import (
	"context"
	"errors"
	"fmt"
	"os"

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
error. A deployment that was killed is listed with the phase in which that happened.

With --stats, prints the key figures of the last 90 days: deployments a week, the share that failed or was rolled back, the median
time of a deployment and of its phases, the median time from commit or build of an image to its first verified deployment, and the
mean time to restore after a rollout that failed. --format html writes a page with charts.`,
		examples: []string{
			"deployer history --env staging", "deployer history --env staging --limit 5 --format json",
			"deployer history --env staging 20261123-161530-1f3a",
			"deployer history --env production --stats --since 30d",
			"deployer history --env production --stats --format html --output deployments.html",
		},
		formats:     []string{"text", "json", "yaml", "html"},
		takesShared: true,
		flags: []cli.Flag{
			&cli.IntFlag{Name: "limit", Usage: "list the newest `N` deployments", Value: defaultHistoryLimit},
			&cli.BoolFlag{Name: "stats", Usage: "print statistics of the deployments instead of listing them"},
			&cli.StringFlag{Name: "since", Value: "90d", Usage: "with --stats, start at `TIME`: how long ago, such as 30d, or a time " +
				"such as 2026-11-01"},
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			o := historyOptions{
				targets: s.targets, terminal: s.terminal, format: s.flags.format, id: c.Args().First(), limit: c.Int("limit"),
				stats: c.Bool("stats"), since: c.String("since"),
			}
			if o.stats && c.IsSet("limit") && os.Getenv(variable("limit")) == "" {
				return hint.With(errors.New("--stats counts every deployment since --since, and --limit lists some"),
					"leave one of them out")
			}
			return o.run(ctx)
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
	// stats prints the statistics of the deployments that started at since, a time or how long ago.
	stats bool
	since string
}

func (o historyOptions) run(ctx context.Context) error {
	switch {
	case o.limit < 1:
		return hint.With(fmt.Errorf("--limit %d lists nothing", o.limit), "give a number of at least 1")
	case o.stats && o.id != "":
		return hint.With(errors.New("--stats are of all deployments, and an ID names one"), "leave one of them out")
	case o.format == "html" && !o.stats:
		return hint.With(errors.New("--format html is the page of the statistics"), "add --stats")
	}
	return o.targets.with(ctx, o.targets.selected, func(t *target.Target) error {
		status, err := t.Locks.Get(ctx, t.Stack)
		if err != nil {
			o.terminal.warn(err) // it only distinguishes a running deployment from one that crashed
		}
		running := err != nil || status != nil && status.State != lock.StateExpired
		switch {
		case o.stats:
			return o.printStats(ctx, t, running)
		case o.id != "":
			return o.printOne(ctx, t, running)
		}
		records, err := t.Records.List(ctx, t.Stack, o.limit)
		if err != nil {
			return err
		}
		o.warnUnreadable(records)
		if len(records) == 0 && o.format == "text" {
			o.terminal.printf("nothing was deployed to %s yet\n", t.Name)
			return nil
		}
		err = ui.History(o.terminal.out, list.Map(history.MarkCrashed(records, running), o.terminal.flags.addToRecord), o.format, o.terminal.style())
		o.printSimulated(t, len(records))
		return err
	})
}

func (o historyOptions) warnUnreadable(records []history.Deployment) {
	for _, damaged := range history.UnreadableRecords(records) {
		o.terminal.warn(errors.New(damaged.Error))
	}
}

// printSimulated prints, below a text about a number of deployments, that the account is simulated.
func (o historyOptions) printSimulated(t *target.Target, deployments int) {
	switch {
	case t.Simulated == nil || o.format != "text":
	case deployments == 0:
		o.terminal.printf("the account is simulated\n")
	default:
		o.terminal.printf("all of them in the simulated account\n")
	}
}

// earlierRecords declares how many records before the period are read: which of its images are new, and what it restored, depends
// on them.
const earlierRecords = 20

// printStats prints the statistics of the deployments.
func (o historyOptions) printStats(ctx context.Context, t *target.Target, running bool) error {
	now := t.Clock.Now()
	since, err := parseTime("--since", o.since, now)
	if err == nil && !since.Before(now) {
		err = hint.With(fmt.Errorf("there is no time between --since %s and now", o.since), "give an earlier time, such as 90d")
	}
	if err != nil {
		return err
	}
	records, err := t.Records.ListSince(ctx, t.Stack, since, earlierRecords)
	if err != nil {
		return err
	}
	o.warnUnreadable(records)
	records = history.MarkCrashed(records, running)
	stats, changes := history.NewStats(t.Name, records, since, now), history.Changes(records, since)
	err = ui.Stats(o.terminal.out, stats, changes, o.format, o.terminal.style())
	o.printSimulated(t, stats.Deployments)
	return err
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
