package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/notify"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func statusVerb() verb {
	return verb{
		name: "status", usage: "the health of every component",
		about: `Finds everything by its name in the account; only the component stack reads Pulumi's state. --env takes several
environments, a,b or all. Exit code: 0 all healthy, 1 errors, 2 warnings or unknowns, 3 could not run; the worst counts.
Components:
` + wrap(checks.Components(), 90),
		examples: []string{
			"deployer status --env staging",
			"deployer status --env production --only ecs_service,target_groups --verbose",
			"deployer status --env production --json | jq .summary",
			"deployer status --env all --format html --output status.html",
			"deployer status --env dev --watch --interval 10s --summary",
		},
		formats: ui.ReportFormats(),
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "only", Usage: "look at these `COMPONENTS` only"},
			&cli.StringSliceFlag{Name: "skip", Usage: "leave out these `COMPONENTS`"},
			&cli.BoolFlag{Name: "yaml", Usage: "short for --format yaml"},
			&cli.BoolFlag{Name: "summary", Usage: "short for --format summary; with --yaml, both"},
			&cli.BoolFlag{Name: "json", Usage: "short for --format json"},
			&cli.BoolFlag{Name: "watch", Usage: "look again and again, until Ctrl-C"},
			&cli.DurationFlag{Name: "interval", Usage: "with --watch, the `TIME` between two looks", Value: 30 * time.Second},
			&cli.BoolFlag{Name: "publish-metrics", Usage: "put the counts into CloudWatch, namespace " + environment.MetricsNamespace},
			&cli.StringFlag{Name: "notify", Usage: "post the summary to the webhook `URL` when the result is not healthy or has changed"},
		},
		// The time limit is each report's, not that of all that a watch makes.
		run: func(_ context.Context, s settings, c *cli.Context) error {
			st, err := statusOf(s, c)
			if err != nil {
				return err
			}
			return st.run(c.Context)
		},
	}
}

// status judges environments and prints the reports.
type status struct {
	settings
	only, skip []string
	// watch repeats it every interval; 0 looks once.
	watch   time.Duration
	publish bool
	// webhook is nil where nobody is told.
	webhook *notify.Webhook
}

// statusOf reads the flags and refuses what cannot be meant.
func statusOf(s settings, c *cli.Context) (status, error) {
	s.format = formatOf(c, s)
	st := status{
		settings: s, publish: c.Bool("publish-metrics"),
		only: split(c.StringSlice("only")), skip: split(c.StringSlice("skip")),
	}
	if unknown := checks.UnknownComponents(slices.Concat(st.only, st.skip)); len(unknown) > 0 {
		return st, hint.With(
			fmt.Errorf("there is no component %s", strings.Join(unknown, ", ")),
			"the components are "+strings.Join(checks.Components(), ", "))
	}
	if c.Bool("watch") {
		if st.watch = c.Duration("interval"); st.watch <= 0 {
			return st, hint.With(fmt.Errorf("--interval %s is no time to wait", st.watch), "give one such as 30s")
		}
		if s.format == "html" && s.output == "" {
			return st, hint.With(errors.New("a page that is made again and again needs a file"), "add --output status.html")
		}
	}
	if address := c.String("notify"); address != "" {
		webhook, err := notify.ParseWebhook(address)
		if err != nil {
			return st, hint.With(fmt.Errorf("--notify: %w", err), "give the whole URL, such as https://hooks.slack.com/…")
		}
		st.webhook = &webhook
	}
	return st, nil
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
	case c.Bool("verbose") && !c.Bool("yaml"):
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

func (s status) run(ctx context.Context) (err error) {
	e, err := s.openEstate(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if s.watch > 0 {
		return s.watchEstate(ctx, e)
	}
	return s.look(ctx, e, func(result []byte) error {
		_, err := s.out.Write(result)
		return err
	})
}

// look judges every environment once, shows the result, tells those who asked to be told, and returns the exit code as
// an error.
func (s status) look(ctx context.Context, e *estate, show func(result []byte) error) error {
	reports := s.judge(ctx, e)
	if errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	code := worstCode(reports.Environments)
	// A report about nothing is left to the error; that all is well, nobody wants to read who asked for quiet.
	alone := !e.listed && reports.Environments[0].Failure != nil
	if quiet := s.quiet && code == nil; !alone && !quiet {
		var result bytes.Buffer
		if err := ui.Report(&result, reports, s.format, s.style()); err != nil {
			return err
		}
		if err := show(result.Bytes()); err != nil {
			return err
		}
	}
	for i := range e.subjects {
		s.tell(ctx, &e.subjects[i], reports.Environments[i], e.listed)
	}
	if alone {
		return e.subjects[0].err
	}
	return code
}

// tell says elsewhere what a report found out. What goes wrong with that is said too, and changes nothing of the report.
func (s status) tell(ctx context.Context, one *subject, j ui.EnvironmentReport, listed bool) {
	complain := func(err error) {
		if err != nil {
			printError(s.err, err)
		}
	}
	if listed && one.err != nil {
		complain(fmt.Errorf("%s: %w", one.name, one.err))
	}
	if s.publish && one.err == nil {
		complain(publishMetrics(ctx, one.place.aws, j.Report))
	}
	if s.webhook != nil {
		complain(s.notify(ctx, one, j))
	}
	if s.debug && len(one.trace) > 0 {
		complain(ui.Trace(s.err, j.Environment, one.trace, styleOf(s.err, s.noColor)))
	}
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

// worstCode is the exit code of several reports.
func worstCode(reports []ui.EnvironmentReport) error {
	var worst error
	for _, j := range reports {
		worst = worse(worst, codeOfOne(j.Summary.Status, j.Failure))
	}
	return worst
}

// codeOfOne is the exit code of one environment among several.
func codeOfOne(s checks.Status, failure *ui.Failure) error {
	if failure != nil {
		return verdict(codeNotRun)
	}
	return codeOf(s)
}

// worse is the exit code of two that counts: that an environment could not be judged is worse than errors, these than
// warnings.
func worse(a, b error) error {
	rank := []error{nil, verdict(codeWarnings), verdict(codeFailed), verdict(codeNotRun)}
	return rank[max(slices.Index(rank, a), slices.Index(rank, b))]
}
