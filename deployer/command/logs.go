package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/logs"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

func logsVerb() verb {
	return verb{
		name: "logs", usage: "print container logs: services interleaved by time, JSON lines made readable",
		long: `Times are UTC, as CloudWatch shows them. Lines that are JSON objects are shown as level, message and the other fields;
--format json is one JSON object a line, raw the lines alone. Control sequences are removed from all of them, and values of the
configuration secret are replaced by [hidden]. --filter takes words (a line must contain
all of them; -word excludes lines, ?word is one of several) and every other CloudWatch filter pattern.`,
		examples: []string{
			"deployer logs --env staging --follow",
			"deployer logs --env production --service api,worker --since 2h --filter error",
			"deployer logs --env production --filter '{ $.level = \"error\" }' --since 2026-11-23T20:00:00Z --until 2026-11-23T20:10:00Z",
			"deployer logs --env dev --service migration --since 7d",
			"deployer logs --env dev --format json --limit 0 | jq .data",
		},
		formats: []string{logs.Text, logs.JSON, logs.Raw},
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "service", Usage: "print only these `SERVICES`: " + strings.Join(logSources, ", "), DefaultText: "all"},
			&cli.BoolFlag{Name: "follow", Usage: "continue with new lines until Ctrl-C or --timeout"},
			&cli.StringFlag{Name: "since", Value: "15m", Usage: "start at `TIME`: how long ago, such as 90s, 2h or 7d, or a time such as 2026-11-23T20:00:00Z"},
			&cli.StringFlag{Name: "until", Usage: "end at `TIME`, in the same formats", DefaultText: "now"},
			&cli.StringFlag{Name: "filter", Usage: "print only lines that match `PATTERN`, words or a CloudWatch filter pattern"},
			&cli.IntFlag{Name: "limit", Value: 1000, Usage: "print the newest `N` lines; 0 prints all"},
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return logsOptions{
				targets: s.targets, terminal: s.terminal, format: s.flags.format, services: split(c.StringSlice("service")), follow: c.Bool("follow"), since: c.String("since"),
				until: c.String("until"), filter: c.String("filter"), limit: c.Int("limit"),
			}.run(ctx)
		},
	}
}

// logSources are the prefixes of the streams that an environment's containers write to.
var logSources = []string{
	string(environment.API), string(environment.Worker), string(environment.Scheduler), string(environment.Migration), "xray",
}

type logsOptions struct {
	targets  *targets
	terminal *terminal
	format   string

	services             []string
	follow               bool
	since, until, filter string
	limit                int
	// hiddenOnly makes it an error that values of the configuration secret could not be hidden, where it is a warning otherwise.
	hiddenOnly bool
	// newest reads backwards from the end, and no more periods than limit needs; the limit is not 0 then.
	newest bool
}

func (o logsOptions) run(ctx context.Context) error {
	if err := o.check(); err != nil {
		return err
	}
	return o.targets.with(ctx, o.targets.selected, func(t *target.Target) error {
		env := t.Env
		query, err := o.query(env, t.Clock.Now())
		if err != nil {
			return err
		}
		style := o.terminal.style()
		printer := logs.Printer{
			Out: o.terminal.out, Format: o.format, Colour: style.Color, Width: sourceWidth(o.services),
		}
		reader := logs.Reader{Client: cloudwatchlogs.NewFromConfig(t.AWS), Query: query, Emit: printer.Print}
		if o.follow {
			defer o.reportUnhidden(t)
			return o.endOfFollow(ctx, t, reader.Follow(ctx, t.Clock, o.reportDropped, func(err error) {
				o.terminal.warn(fmt.Errorf("%w; no line is lost, the request is retried", err))
			}))
		}
		read := reader.Read
		if o.newest {
			read = func(ctx context.Context) (emitted, dropped int, err error) {
				return reader.ReadNewest(ctx, t.Clock.Now())
			}
		}
		shown, dropped, err := read(ctx)
		if unread := t.Responses.SecretUnread(); o.hiddenOnly && unread != nil {
			return hint.With(fmt.Errorf("the values of %s cannot be hidden in the lines, for it could not be read: %w", t.Env.SecretName(), unread),
				"these credentials need secretsmanager:GetSecretValue for it; a person can read the lines with `deployer logs --env "+t.Stack+"`")
		}
		o.reportUnhidden(t)
		if err != nil {
			return o.explain(ctx, t, err)
		}
		o.reportDropped(dropped)
		if shown == 0 {
			o.terminal.log(fmt.Sprintf("no line in %s since %s matches; --since 24h searches further back", env.LogGroupName(), query.Since.UTC().Format(time.RFC3339)))
		}
		return nil
	})
}

func (o logsOptions) check() error {
	for _, service := range o.services {
		if !slices.Contains(logSources, service) {
			return unknownValue("--service: no container writes logs by the name", service, logSources, "give some of ")
		}
	}
	switch {
	case o.limit < 0:
		return hint.With(fmt.Errorf("--limit %d: the number of lines cannot be negative", o.limit), "0 is all of them")
	case o.follow && o.until != "":
		return hint.With(errors.New("--follow has no end, --until has one"), "leave one of them out; --timeout ends --follow")
	}
	return nil
}

// query returns the query for CloudWatch at a time.
func (o logsOptions) query(env *environment.Environment, now time.Time) (logs.Query, error) {
	since, err := parseTime("--since", o.since, now)
	if err != nil {
		return logs.Query{}, err
	}
	var until time.Time
	if o.until != "" {
		if until, err = parseTime("--until", o.until, now); err != nil {
			return logs.Query{}, err
		}
	}
	if end := until; !since.Before(now) || !end.IsZero() && !since.Before(end) {
		return logs.Query{}, hint.With(fmt.Errorf("there is no time between --since %s and --until %s", o.since, strings.TrimSpace(o.until+" (now)")),
			"--since is the earlier of the two")
	}
	return logs.Query{
		// Each service once: every one is a call of its own, whose lines are merged.
		Group: env.LogGroupName(), Services: split(o.services), Filter: logs.Pattern(o.filter),
		Since: since, Until: until, Limit: o.limit,
	}, nil
}

var (
	daysAgo  = lazyregexp.New(`^([0-9]+)d$`)
	unitsAgo = lazyregexp.New(`^[0-9]+[smhd]$`)
)

// parseTime parses a time: how long before now, or a time of RFC 3339; one without a zone is UTC.
func parseTime(flag, text string, now time.Time) (time.Time, error) {
	at, err := parseAnyTime(flag, text, now)
	if err == nil && at.Before(earliestTime) {
		return earliestTime, nil
	}
	return at, err
}

// earliestTime precedes everything that is logged and recorded. CloudWatch Logs takes no time before it.
// Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
var earliestTime = time.Unix(0, 0).UTC()

// maxDaysAgo exceeds the days since earliestTime.
const maxDaysAgo = 1_000_000

// parseAnyTime returns the time of parseTime, which may be earlier than earliestTime.
func parseAnyTime(flag, text string, now time.Time) (time.Time, error) {
	if m := daysAgo.FindStringSubmatch(text); m != nil {
		if days, err := strconv.Atoi(m[1]); err == nil && days <= maxDaysAgo {
			return now.AddDate(0, 0, -days), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	if unitsAgo.MatchString(text) {
		return earliestTime, nil // longer ago than a duration can be
	}
	return time.Time{}, hint.With(fmt.Errorf("%s %q is not a time", flag, text), "give how long ago, such as 90s, 15m, 2h or 7d, or a time such as 2026-11-23T20:00:00Z")
}

// sourceWidth returns the width of the longest service name, with the beginning of a task's ID.
func sourceWidth(services []string) int {
	if len(services) == 0 {
		services = logSources
	}
	width := 0
	for _, service := range services {
		width = max(width, len(service))
	}
	return width + len("/01234567")
}

// reportUnhidden warns where values of the configuration secret were not hidden.
func (o logsOptions) reportUnhidden(t *target.Target) {
	if err := t.Responses.SecretUnread(); err != nil {
		o.terminal.warn(fmt.Errorf("the values of %s are not hidden in these lines, for it could not be read: %w", t.Env.SecretName(), err))
	}
}

func (o logsOptions) reportDropped(lines int) {
	if lines > 0 {
		o.terminal.log(fmt.Sprintf("there is more: %d older lines are not shown; --limit 0 shows all, a later --since or --filter fewer", lines))
	}
}

// endOfFollow returns what the end of --follow means: a person or the time limit ended it, or it failed.
func (o logsOptions) endOfFollow(ctx context.Context, t *target.Target, err error) error {
	switch {
	case errors.Is(err, errInterrupted):
		return exitStatus(codeInterrupted)
	case ctx.Err() != nil:
		o.terminal.log(fmt.Sprintf("followed until the end: %v", err))
		return nil
	}
	return o.explain(ctx, t, err)
}

// explain adds a hint to an error of CloudWatch.
func (o logsOptions) explain(ctx context.Context, t *target.Target, err error) error {
	env := t.Env
	var absent *types.ResourceNotFoundException
	var invalid *types.InvalidParameterException
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &absent):
		return missingOf(ctx, t, "the log group "+env.LogGroupName())
	case errors.As(err, &invalid) && o.filter != "":
		return hint.With(fmt.Errorf("--filter %s: CloudWatch refuses the pattern %s: %s", o.filter, logs.Pattern(o.filter), invalid.ErrorMessage()),
			`words such as 'timeout pool', "an exact phrase", or { $.level = "error" }: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html`)
	case checks.AccessDenied(err):
		return hint.With(fmt.Errorf("these credentials may not read %s: %w", env.LogGroupName(), err),
			"logs:FilterLogEvents is needed; GitHub's read role may not read logs, on purpose, the deploy roles may: docs/delivery.md")
	}
	return fmt.Errorf("read %s: %w", env.LogGroupName(), err)
}
