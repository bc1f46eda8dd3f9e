package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
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
	"github.com/balancer/v3-backend-infra/environment"
)

func logsVerb() verb {
	return verb{
		name: "logs", usage: "what the containers wrote: services interleaved by time, JSON lines made readable",
		about: `Times are UTC, as CloudWatch shows them. Lines that are JSON objects are shown as level, message and the other fields;
--format json is one JSON object a line, raw the lines as they were written. --filter takes words (all of them have to be in
the line; -word must not, ?word is one of several) and every other filter pattern of CloudWatch.`,
		examples: []string{
			"deployer logs --env staging --follow",
			"deployer logs --env production --service api,worker --since 2h --filter error",
			"deployer logs --env production --filter '{ $.level = \"error\" }' --since 2026-11-23T20:00:00Z --until 2026-11-23T20:10:00Z",
			"deployer logs --env dev --service migration --since 7d",
			"deployer logs --env dev --format json --limit 0 | jq .data",
		},
		formats: []string{logs.Text, logs.JSON, logs.Raw},
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "service", Usage: "only `SERVICES`: " + strings.Join(logSources, ", "), DefaultText: "all"},
			&cli.BoolFlag{Name: "follow", Usage: "go on with what is written from now on; Ctrl-C or --timeout ends"},
			&cli.StringFlag{Name: "since", Value: "15m", Usage: "from `TIME` on: how long ago, such as 90s, 2h or 7d, or a time such as 2026-11-23T20:00:00Z"},
			&cli.StringFlag{Name: "until", Usage: "up to `TIME`, in the same forms", DefaultText: "now"},
			&cli.StringFlag{Name: "filter", Usage: "only lines that match `PATTERN`, words or a filter pattern of CloudWatch"},
			&cli.IntFlag{Name: "limit", Value: 1000, Usage: "at most so many `LINES`, the newest; 0 is all"},
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return logReading{
				settings: s, services: split(c.StringSlice("service")), follow: c.Bool("follow"), since: c.String("since"),
				until: c.String("until"), filter: c.String("filter"), limit: c.Int("limit"),
			}.run(ctx)
		},
	}
}

// logSources are the prefixes of the streams that an environment's containers write.
var logSources = []string{
	string(environment.API), string(environment.Worker), string(environment.Scheduler), string(environment.Migration), "xray",
}

// logReading is what is wanted of an environment's logs.
type logReading struct {
	settings
	services             []string
	follow               bool
	since, until, filter string
	limit                int
}

func (l logReading) run(ctx context.Context) error {
	if err := l.check(); err != nil {
		return err
	}
	return l.visit(ctx, func(env *environment.Environment, p *place) error {
		query, err := l.query(env, p.clock.Now())
		if err != nil {
			return err
		}
		style := l.style()
		printer := logs.Printer{
			Out: l.out, Format: l.format, Colour: style.Color, Terminal: isTerminal(l.out), Width: sourceWidth(l.services),
		}
		reader := logs.Reader{Client: cloudwatchlogs.NewFromConfig(p.aws), Query: query, Emit: printer.Print}
		if l.follow {
			return l.followed(ctx, env, reader.Follow(ctx, p.clock, l.tellDropped, func(err error) {
				l.warn(fmt.Errorf("%w; nothing is lost, it is tried again", err))
			}))
		}
		shown, dropped, err := reader.Read(ctx)
		if err != nil {
			return l.explained(ctx, env, err)
		}
		l.tellDropped(dropped)
		if shown == 0 {
			l.tell(fmt.Sprintf("no line in %s since %s matches; --since 24h looks further back", env.LogGroupName(), query.Since.UTC().Format(time.RFC3339)))
		}
		return nil
	})
}

func (l logReading) check() error {
	for _, service := range l.services {
		if !slices.Contains(logSources, service) {
			return hint.With(fmt.Errorf("--service %s: nothing writes logs by that name", service), "give some of "+strings.Join(logSources, ", "))
		}
	}
	switch {
	case l.limit < 0:
		return hint.With(fmt.Errorf("--limit %d: there is no such number of lines", l.limit), "0 is all of them")
	case l.follow && l.until != "":
		return hint.With(errors.New("--follow has no end, --until has one"), "leave one of them out; --timeout ends --follow")
	}
	return nil
}

// query is what is asked of CloudWatch, at a time.
func (l logReading) query(env *environment.Environment, now time.Time) (logs.Query, error) {
	since, err := moment("--since", l.since, now)
	if err != nil {
		return logs.Query{}, err
	}
	var until time.Time
	if l.until != "" {
		if until, err = moment("--until", l.until, now); err != nil {
			return logs.Query{}, err
		}
	}
	if end := until; !since.Before(now) || !end.IsZero() && !since.Before(end) {
		return logs.Query{}, hint.With(fmt.Errorf("there is no time between --since %s and --until %s", l.since, strings.TrimSpace(l.until+" (now)")),
			"--since is the earlier of the two")
	}
	return logs.Query{
		Group: env.LogGroupName(), Services: l.services, Filter: logs.Pattern(l.filter), Since: since, Until: until, Limit: l.limit,
	}, nil
}

var daysAgo = regexp.MustCompile(`^([0-9]{1,4})d$`)

// moment reads a time: how long before now, or a time of RFC 3339; one without a zone is UTC.
func moment(flag, text string, now time.Time) (time.Time, error) {
	if m := daysAgo.FindStringSubmatch(text); m != nil {
		days, _ := strconv.Atoi(m[1])
		return now.AddDate(0, 0, -days), nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, hint.With(fmt.Errorf("%s %q is no time", flag, text), "give how long ago, such as 90s, 15m, 2h or 7d, or a time such as 2026-11-23T20:00:00Z")
}

// sourceWidth is how wide the widest of the services is, with the begin of a task's ID.
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

func (l logReading) tellDropped(lines int) {
	if lines > 0 {
		l.tell(fmt.Sprintf("there is more: %d older lines are not shown; --limit 0 shows all, a later --since or --filter fewer", lines))
	}
}

// followed is what the end of following means: a person or the time limit ended it, or it could not go on.
func (l logReading) followed(ctx context.Context, env *environment.Environment, err error) error {
	switch {
	case errors.Is(err, errInterrupted):
		return verdict(codeInterrupted)
	case ctx.Err() != nil:
		l.tell(fmt.Sprintf("followed until the end: %v", err))
		return nil
	}
	return l.explained(ctx, env, err)
}

// explained says what to do about an answer of CloudWatch.
func (l logReading) explained(ctx context.Context, env *environment.Environment, err error) error {
	var absent *types.ResourceNotFoundException
	var invalid *types.InvalidParameterException
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &absent):
		return hint.With(fmt.Errorf("there is no log group %s in %s", env.LogGroupName(), env.Region),
			fmt.Sprintf("`deployer up --env %s` makes it; `deployer status --env %s` shows what is there", env.Stack, env.Stack))
	case errors.As(err, &invalid) && l.filter != "":
		return hint.With(fmt.Errorf("--filter %s: CloudWatch refuses the pattern %s: %s", l.filter, logs.Pattern(l.filter), invalid.ErrorMessage()),
			`words such as 'timeout pool', "an exact phrase", or { $.level = "error" }: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html`)
	case checks.AccessDenied(err):
		return hint.With(fmt.Errorf("these credentials may not read %s: %w", env.LogGroupName(), err),
			"logs:FilterLogEvents is needed; GitHub's read role may not read logs, on purpose, the deploy roles may: docs/delivery.md")
	}
	return fmt.Errorf("read %s: %w", env.LogGroupName(), err)
}
