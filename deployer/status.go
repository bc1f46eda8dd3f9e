package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/ui"
)

func statusVerb() verb {
	return verb{
		name: "status", usage: "the health of every component",
		about: `Finds everything by its name in the account, and needs no Pulumi state. Components:
` + wrap(checks.Components(), 90),
		examples: []string{
			"deployer status --env staging",
			"deployer status --env production --only ecs_service,target_groups --format verbose",
			"deployer status --env production --json | jq .summary",
		},
		formats: ui.ReportFormats(),
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "only", Usage: "look at these `COMPONENTS` only"},
			&cli.StringSliceFlag{Name: "skip", Usage: "leave out these `COMPONENTS`"},
			&cli.BoolFlag{Name: "yaml", Usage: "short for --format yaml"},
			&cli.BoolFlag{Name: "summary", Usage: "short for --format summary; with --yaml, both"},
			&cli.BoolFlag{Name: "json", Usage: "short for --format json"},
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			s.format = formatOf(c, s)
			return status{settings: s, only: split(c.StringSlice("only")), skip: split(c.StringSlice("skip"))}.run(ctx)
		},
	}
}

// formatOf reads the short forms of --format.
func formatOf(c *cli.Context, s settings) string {
	switch {
	case c.IsSet("format"):
		return s.format
	case c.Bool("json"):
		return "json"
	case c.Bool("yaml") && !c.Bool("summary"):
		return "yaml"
	case c.Bool("summary") && !c.Bool("yaml"):
		return "summary"
	case c.Bool("verbose"):
		return "verbose"
	}
	return s.format
}

// wrap breaks a list of words into indented lines of at most width characters.
func wrap(words []string, width int) string {
	var lines []string
	line := "  "
	for _, word := range words {
		if len(line)+1+len(word) > width {
			lines, line = append(lines, line), "  "
		}
		line += " " + word
	}
	return strings.Join(append(lines, line), "\n")
}

// status judges an environment and prints the report.
type status struct {
	settings
	only, skip []string
}

// statusTimeout is how long a report may take where --timeout does not say.
const statusTimeout = time.Minute

func (s status) run(ctx context.Context) (err error) {
	if unknown := checks.UnknownComponents(slices.Concat(s.only, s.skip)); len(unknown) > 0 {
		return hinted{fmt.Errorf("there is no component %s", strings.Join(unknown, ", ")), "the components are " + strings.Join(checks.Components(), ", ")}
	}
	env, err := s.environment()
	if err != nil {
		return err
	}
	p, err := s.open(ctx, accountOf(env))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.verify(ctx, env.Account, env.Stack); err != nil {
		return err
	}
	limit := s.timeout
	if limit == 0 {
		limit = statusTimeout
	}
	report := checks.Run(ctx, env, checks.Sources{AWS: p.aws, Network: p.network},
		checks.Options{Only: s.only, Skip: s.skip, Timeout: limit}, p.clock)
	if errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	if !s.quiet || report.Summary.Status != checks.Healthy {
		if err := ui.Report(s.out, report, s.format, s.style()); err != nil {
			return err
		}
	}
	return codeOf(report.Summary.Status)
}

// codeOf is the exit code of a status.
func codeOf(s checks.Status) error {
	switch s {
	case checks.Healthy:
		return nil
	case checks.Error:
		return verdict(codeFailed)
	}
	return verdict(codeWarnings)
}
