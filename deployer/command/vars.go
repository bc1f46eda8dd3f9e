package command

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func varsVerb() verb {
	return verb{
		name: "vars", usage: "show the environment variables that containers get",
		long: `Reads the revision that runs: what its task definition sets, the keys of secrets that it refers to, and what entrypoint adds
when it starts the application. Masks, in every format, all values but those that the program sets and those of a few harmless names
such as NODE_ENV, of a secret only where the value has the form that such values have. The command "secrets set" adds a variable. Tables are truncated to the width of the
terminal; in a pipe, and as json and compact, nothing is. Exit code: 0 healthy, 1 errors, 2 warnings or unknowns, 3 could not
run, of several environments (a,b or all) the worst; with --compare 0.`,
		examples: []string{
			"deployer vars --env staging",
			"deployer vars --env staging --service api --filter DATABASE_URL,'*_DSN'",
			"deployer vars --env production --category database,secrets --format compact",
			"deployer vars --env staging --compare production",
			"deployer vars --env all --format json | jq '.[] | {environment, status}'",
			"deployer vars --env dev --no-mask",
		},
		takesSeveral: true,
		formats:      ui.VariableFormats(),
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "service", Usage: "show only these `SERVICES`: api, worker, scheduler"},
			&cli.StringSliceFlag{Name: "filter", Usage: "show only variables with these `NAMES`, in any case; * and ? are wildcards"},
			&cli.StringSliceFlag{Name: "category", Usage: "show only these `CATEGORIES`: " + strings.Join(checks.Categories(), ", ")},
			&cli.StringFlag{Name: "compare", Usage: "compare with the variables of another `ENVIRONMENT`"},
			&cli.BoolFlag{Name: "no-mask", Usage: "show sensitive values; not in protected environments"},
		},
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return varsOptions{
				targets: s.targets, terminal: s.terminal, format: s.flags.format, timeout: s.flags.timeout,
				services: split(c.StringSlice("service")), filter: split(c.StringSlice("filter")),
				categories: split(c.StringSlice("category")), other: c.String("compare"), noMask: c.Bool("no-mask"),
			}.run(ctx)
		},
	}
}

type varsOptions struct {
	targets  *targets
	terminal *terminal
	format   string
	timeout  time.Duration

	services, filter, categories []string
	// other is the environment to compare with; "" for none.
	other  string
	noMask bool
}

func (o varsOptions) run(ctx context.Context) error {
	if err := o.checkFlags(); err != nil {
		return err
	}
	if o.other != "" {
		return o.compare(ctx)
	}
	all, err := forEachEnvironment(ctx, o.targets, func(ctx context.Context, name string) (report ui.VariablesReport, err error) {
		report.Inspection, err = o.inspect(ctx, name)
		return report, err
	}, func(name string, err error) ui.VariablesReport {
		return ui.FailedVariablesReport(name, o.terminal.failureOf(err))
	})
	if err != nil {
		return err
	}
	for i := range all {
		o.terminal.flags.addToFindings(all[i].Findings)
	}
	if err := ui.Variables(o.terminal.out, all, o.targets.several(), o.format, o.terminal.style()); err != nil {
		return err
	}
	var code error
	for _, found := range all {
		code = worse(code, codeOfOne(found.Status, found.Failure))
	}
	return code
}

// checkFlags rejects flags that are wrong for every environment.
func (o varsOptions) checkFlags() error {
	for _, category := range o.categories {
		if !slices.Contains(checks.Categories(), category) {
			return unknownValue("--category: unknown category", category, checks.Categories(), "the categories are ")
		}
	}
	for _, pattern := range o.filter {
		if _, err := path.Match(pattern, ""); err != nil {
			return hint.With(fmt.Errorf("--filter: %q is not a pattern", pattern), "write names such as DATABASE_URL, or patterns such as '*_URL'")
		}
	}
	if o.noMask && o.other != "" {
		return hint.With(errors.New("--compare shows no sensitive value, not even with --no-mask"), "leave one of the two out")
	}
	return nil
}

// checkEnvironment rejects services that the environment does not have, and sensitive values of a protected one.
func (o varsOptions) checkEnvironment(name string) error {
	env, err := o.targets.environment(name)
	if err != nil {
		return err
	}
	var roles []string
	for _, s := range env.Services.List() {
		roles = append(roles, string(s.Role))
	}
	for _, service := range o.services {
		if !slices.Contains(roles, roleOf(env, service)) {
			return unknownValue(fmt.Sprintf("--service: %s has no service", env.Name), service, roles, "its services are ")
		}
	}
	if o.noMask && env.Protected {
		return hint.With(fmt.Errorf("%s is protected: its sensitive values are not shown", env.Name), "leave --no-mask out; to see a value, read the secret itself, which AWS logs")
	}
	return nil
}

// roleOf returns the role of a service that is named by its role, or by its whole name.
func roleOf(env *environment.Environment, service string) string {
	for _, s := range env.Services.List() {
		if service == env.ServiceName(s.Role) {
			return string(s.Role)
		}
	}
	return service
}

// inspect reads what the containers of an environment get, and returns what was asked for.
func (o varsOptions) inspect(ctx context.Context, name string) (found checks.Inspection, err error) {
	if err := o.checkEnvironment(name); err != nil {
		return found, err
	}
	err = o.targets.with(ctx, name, func(t *target.Target) (err error) {
		if found, err = o.read(ctx, t); err != nil {
			return err
		}
		before := len(found.Containers)
		found.Containers = slices.DeleteFunc(found.Containers, func(c checks.Container) bool {
			return len(o.services) > 0 && !slices.ContainsFunc(o.services, func(s string) bool { return roleOf(t.Env, s) == c.Role })
		})
		shown := 0
		for i := range found.Containers {
			c := &found.Containers[i]
			c.Variables = slices.DeleteFunc(c.Variables, func(v checks.Variable) bool { return !o.matches(v) })
			shown += len(c.Variables)
		}
		if given := o.selecting(); before > 0 && shown == 0 && len(given) > 0 {
			o.terminal.warn(fmt.Errorf("no variable matches %s", text.Join(given, "and")))
		}
		if len(o.services) > 0 {
			found.Findings = slices.DeleteFunc(found.Findings, func(f checks.Finding) bool { return !o.concerns(t.Env, f) })
			found.Status = checks.Aggregate(found.Findings).Status
		}
		if o.noMask {
			return unmask(ctx, t, &found)
		}
		return nil
	})
	return found, err
}

// selecting returns the given flags that select variables.
func (o varsOptions) selecting() (given []string) {
	if len(o.filter) > 0 {
		given = append(given, "--filter")
	}
	if len(o.categories) > 0 {
		given = append(given, "--category")
	}
	return given
}

// read reads what the containers of an environment get.
func (o varsOptions) read(ctx context.Context, t *target.Target) (checks.Inspection, error) {
	trace := &tracer{}
	found, err := checks.Inspect(ctx, t.Env, checks.Sources{AWS: t.AWS, Network: t.Network},
		checks.Options{Timeout: o.timeout, Trace: trace.add}, lastRevisions(ctx, t), t.Clock)
	if o.terminal.debug && len(trace.calls) > 0 {
		o.terminal.warn(ui.Trace(o.terminal.err, t.Name, trace.calls, o.terminal.errStyle()))
	}
	if ctx.Err() != nil {
		return found, context.Cause(ctx)
	}
	if err != nil {
		return found, fmt.Errorf("read the services of %s: %w", t.Name, err)
	}
	return found, nil
}

// concerns reports whether a finding is about one of the services that were asked for, or about all of them.
func (o varsOptions) concerns(env *environment.Environment, f checks.Finding) bool {
	return f.Component != "variables" || slices.ContainsFunc(o.services, func(s string) bool {
		return strings.HasPrefix(f.Service, env.ServiceName(environment.Role(roleOf(env, s))))
	})
}

// matches reports whether a variable was asked for, by its name and its category.
func (o varsOptions) matches(v checks.Variable) bool {
	named := func(pattern string) bool {
		matches, _ := path.Match(strings.ToUpper(pattern), strings.ToUpper(v.Name))
		return matches
	}
	categorized := func(category string) bool { return slices.Contains(v.Categories, category) }
	return (len(o.filter) == 0 || slices.ContainsFunc(o.filter, named)) &&
		(len(o.categories) == 0 || slices.ContainsFunc(o.categories, categorized))
}

// lastRevisions returns the revisions that the last deployment left, by service; none where no record can be read.
func lastRevisions(ctx context.Context, t *target.Target) map[string]string {
	records, err := t.Records.List(ctx, t.Stack, deployedHistoryLimit)
	if err != nil {
		return nil
	}
	return history.LastRevisions(records)
}

// compare compares two environments.
func (o varsOptions) compare(ctx context.Context) error {
	name := o.targets.selected
	if err := o.checkEnvironment(name); err != nil {
		return err
	}
	env, err := o.targets.environment(o.other)
	if err != nil {
		return fmt.Errorf("--compare: %w", err)
	}
	if environment.StackOf(name) == env.Stack {
		return hint.With(fmt.Errorf("--compare: %s is the environment itself", o.other), "name another one; `deployer env list` lists them")
	}
	var inspections []checks.Inspection
	for _, name := range []string{name, o.other} {
		found, err := o.inspect(ctx, name)
		if err != nil {
			return err
		}
		if len(found.Containers) == 0 {
			return hint.With(fmt.Errorf("%s runs no service, so there is nothing to compare", found.Environment),
				"`deployer status --env "+environment.StackOf(name)+"` shows what exists")
		}
		inspections = append(inspections, found)
	}
	return ui.Comparison(o.terminal.out, checks.Compare(inspections[0], inspections[1]), o.format, o.terminal.style())
}
