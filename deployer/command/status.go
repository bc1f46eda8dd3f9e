package command

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/notify"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func statusVerb() verb {
	return verb{
		name: "status", usage: "report the health of every component",
		long: `Finds resources by their names in the account; only the component stack reads Pulumi's state. --env takes several
environments, a,b or all. Exit code: 0 all healthy, 1 errors, 2 warnings or unknowns, 3 could not run; the worst counts.
Components:
` + text.Wrap("   "+strings.Join(checks.Components(), " "), 74, "   "),
		examples: []string{
			"deployer status --env staging",
			"deployer status --env production --only ecs_service,target_groups --verbose",
			"deployer status --env production --json | jq .summary",
			"deployer status --env all --format html --output status.html",
			"deployer status --env dev --watch --interval 10s --summary",
		},
		takesSeveral: true,
		formats:      ui.ReportFormats(),
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "only", Usage: "check these `COMPONENTS` only"},
			&cli.StringSliceFlag{Name: "skip", Usage: "skip these `COMPONENTS`"},
			&cli.BoolFlag{Name: "yaml", Usage: "short for --format yaml"},
			&cli.BoolFlag{Name: "summary", Usage: "short for --format summary; with --yaml, both"},
			&cli.BoolFlag{Name: "json", Usage: "short for --format json"},
			&cli.BoolFlag{Name: "watch", Usage: "repeat the report until Ctrl-C or --timeout"},
			&cli.DurationFlag{Name: "interval", Usage: "with --watch, the `TIME` between two reports", Value: 30 * time.Second},
			&cli.BoolFlag{Name: "publish-metrics", Usage: "publish the counts to CloudWatch, namespace " + environment.MetricsNamespace},
			&cli.StringFlag{Name: "notify", Usage: "post the summary to the webhook `URL` when the result is not healthy or has changed"},
		},
		// A report that reaches the time limit is printed: what has not responded by then is unknown. So the limit is not the context's.
		run: func(limited context.Context, s *services, c *cli.Context) error {
			o, err := readStatusOptions(s, c)
			if err != nil {
				return err
			}
			return o.run(c.Context, limited)
		},
	}
}

type statusOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener

	format     string
	only, skip []string
	// output is the file that a watch replaces; "" for standard output.
	output string
	// timeout limits each report.
	timeout time.Duration
	// watch is the interval between reports; 0 is a single report. clock, the machine's, waits between them.
	watch   time.Duration
	clock   clock.Clock
	publish bool
	// webhook is nil without --notify.
	webhook *notify.Webhook
	// hiddenOnly leaves out log lines in which values of the configuration secret could not be hidden.
	hiddenOnly bool
}

// readStatusOptions reads the flags and rejects unknown components and flags that contradict each other.
func readStatusOptions(s *services, c *cli.Context) (statusOptions, error) {
	st := statusOptions{
		targets: s.targets, terminal: s.terminal, stacks: s.stacks,
		format: statusFormat(c, s.flags.format), output: s.flags.output, timeout: cmp.Or(s.flags.timeout, statusTimeout), clock: clock.Real(),
		publish: c.Bool("publish-metrics"), only: split(c.StringSlice("only")), skip: split(c.StringSlice("skip")),
	}
	if unknown := checks.UnknownComponents(slices.Concat(st.only, st.skip)); len(unknown) > 0 {
		const remedy = "the components are "
		if len(unknown) == 1 {
			return st, unknownValue("unknown component", unknown[0], checks.Components(), remedy)
		}
		return st, hint.With(fmt.Errorf("unknown components %s", strings.Join(unknown, ", ")), remedy+strings.Join(checks.Components(), ", "))
	}
	if c.Bool("watch") {
		if st.watch = c.Duration("interval"); st.watch <= 0 {
			return st, hint.With(fmt.Errorf("--interval %s is not a positive time", st.watch), "give one such as 30s")
		}
		st.timeout = min(st.timeout, statusTimeout)
		if st.format == "html" && st.output == "" {
			return st, hint.With(errors.New("--watch writes an HTML page to a file only"), "add --output status.html")
		}
	}
	var err error
	st.webhook, err = parseNotify(c.String("notify"))
	return st, err
}

// statusFormat returns the value of --format, or of its short forms.
func statusFormat(c *cli.Context, format string) string {
	switch {
	case c.IsSet("format") && os.Getenv(variable("format")) == "":
		return format
	case c.Bool("json"):
		return "json"
	case c.Bool("yaml") && !c.Bool("summary"):
		return "yaml"
	case c.Bool("summary") && !c.Bool("yaml"):
		return "summary"
	case c.Bool("verbose") && !c.Bool("yaml"):
		return "verbose"
	}
	return format
}

// run prints one report, or repeats it until the limited context ends.
func (o statusOptions) run(ctx, limited context.Context) (err error) {
	e, err := o.openEnvironments(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	if o.watch > 0 {
		return o.watchEnvironments(ctx, limited, e)
	}
	return o.report(ctx, e, func(result []byte) error {
		_, err := o.terminal.out.Write(result)
		return err
	})
}

// report judges every environment once, shows the result, notifies, and returns the exit code as an error.
func (o statusOptions) report(ctx context.Context, e *environments, show func(result []byte) error) error {
	reports := o.judge(ctx, e)
	for i := range reports.Environments {
		o.terminal.flags.addToReport(&reports.Environments[i])
	}
	if errors.Is(context.Cause(ctx), errInterrupted) {
		return errInterrupted
	}
	code := worstCode(slices.DeleteFunc(slices.Clone(reports.Environments), o.uncounted))
	// A single failure is only an error.
	alone := !o.targets.several() && reports.Environments[0].Failure != nil
	if !alone {
		var result bytes.Buffer
		style := o.terminal.style()
		e.verdict = ui.Verdict(reports, o.terminal.errStyle())
		if reports.Screen = o.redraws(); reports.Screen {
			style.Height = max(1, style.Height-footerLines)
		}
		if err := ui.Report(&result, reports, o.format, style); err != nil {
			return err
		}
		if err := show(result.Bytes()); err != nil {
			return err
		}
	}
	for i, r := range reports.Environments {
		if !o.uncounted(r) {
			o.notifyAll(ctx, &e.all[i], r)
		}
	}
	if alone {
		return e.all[0].err
	}
	return code
}

// uncounted reports whether an environment is only listed: under --env all, one that is not deployed. Its file alone names it there.
func (o statusOptions) uncounted(r ui.EnvironmentReport) bool {
	return o.targets.all() && r.NotDeployed()
}

// notifyAll sends a report's result to CloudWatch, to the webhook and, with --debug, the trace to standard error. Errors are printed
// and change nothing of the report.
func (o statusOptions) notifyAll(ctx context.Context, one *environmentStatus, r ui.EnvironmentReport) {
	report := func(err error) {
		if err != nil {
			printError(o.terminal.err, err)
		}
	}
	if o.targets.several() && one.err != nil {
		report(fmt.Errorf("%s: %w", one.name, one.err))
	}
	if o.publish && one.err == nil {
		report(publishMetrics(ctx, one.target.AWS, r.Report))
	}
	if o.webhook != nil {
		report(o.notify(ctx, one, r))
	}
	if o.terminal.debug && len(one.trace) > 0 {
		report(ui.Trace(o.terminal.err, r.Environment, one.trace, o.terminal.errStyle()))
	}
}

// codeOf returns the exit code of a status.
func codeOf(s checks.Status) error {
	switch s {
	case checks.Healthy:
		return nil
	case checks.Error:
		return exitStatus(codeFailed)
	}
	return exitStatus(codeWarnings)
}

// worstCode returns the exit code of several reports; without any it is that of an unknown status.
func worstCode(reports []ui.EnvironmentReport) error {
	if len(reports) == 0 {
		return codeOf(checks.Unknown)
	}
	var worst error
	for _, j := range reports {
		worst = worse(worst, codeOfOne(j.Summary.Status, j.Failure))
	}
	return worst
}

// codeOfOne returns the exit code of one environment among several.
func codeOfOne(s checks.Status, failure *ui.Failure) error {
	if failure != nil {
		return exitStatus(codeNotRun)
	}
	return codeOf(s)
}

// worse returns the exit code of two that counts: an environment that could not be judged is worse than errors, and these than
// warnings.
func worse(a, b error) error {
	rank := []error{nil, exitStatus(codeWarnings), exitStatus(codeFailed), exitStatus(codeNotRun)}
	return rank[max(slices.Index(rank, a), slices.Index(rank, b))]
}
