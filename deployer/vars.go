package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func varsVerb() verb {
	return verb{
		name: "vars", usage: "the environment variables that containers really get",
		about: `Of the revision that runs: what its task definition sets, the keys of secrets that it refers to, and what entrypoint adds
when it starts the application. Masked in every form is whatever comes from a secret, and whatever the task definition
has beyond what the program sets and a few harmless names such as NODE_ENV. Tables are cut to the terminal; in a pipe, and as json and compact, nothing is. Exit code: 0 all well,
1 errors, 2 warnings or unknowns, 3 could not run, of several environments (a,b or all) the worst; with --compare 0.`,
		examples: []string{
			"deployer vars --env staging",
			"deployer vars --env staging --service api --filter DATABASE_URL,'*_DSN'",
			"deployer vars --env production --category database,secrets --format compact",
			"deployer vars --env staging --compare production",
			"deployer vars --env all --format json | jq '.[] | {environment, status}'",
			"deployer vars --env dev --no-mask",
		},
		formats: ui.VariableFormats(),
		flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "service", Usage: "only these `SERVICES`: api, worker, scheduler"},
			&cli.StringSliceFlag{Name: "filter", Usage: "only the variables of these `NAMES`, in whichever case; * and ? stand for others"},
			&cli.StringSliceFlag{Name: "category", Usage: "only these `CATEGORIES`: " + strings.Join(checks.Categories(), ", ")},
			&cli.StringFlag{Name: "compare", Usage: "hold them against those of another `ENVIRONMENT`"},
			&cli.BoolFlag{Name: "no-mask", Usage: "show sensitive values; not in protected environments"},
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return vars{
				settings: s, services: split(c.StringSlice("service")), filter: split(c.StringSlice("filter")),
				categories: split(c.StringSlice("category")), other: c.String("compare"), noMask: c.Bool("no-mask"),
			}.run(ctx)
		},
	}
}

// vars shows what containers get.
type vars struct {
	settings
	services, filter, categories []string
	// other is the environment that is compared with; "" where none is.
	other  string
	noMask bool
}

func (v vars) run(ctx context.Context) error {
	if err := v.checkChoice(); err != nil {
		return err
	}
	if v.other != "" {
		return v.compare(ctx)
	}
	all, several, err := survey(ctx, v.settings, func(ctx context.Context, s settings) (ui.VariablesReport, error) {
		one := v
		one.settings = s
		return one.look(ctx)
	}, func(name string, err error) ui.VariablesReport { return ui.FailedVariablesReport(name, failureOf(err)) })
	if err != nil {
		return err
	}
	if err := ui.Variables(v.out, all, several, v.format, v.style()); err != nil {
		return err
	}
	var code error
	for _, found := range all {
		code = worse(code, codeOfOne(found.Status, found.Failure))
	}
	return code
}

// look inspects one environment.
func (v vars) look(ctx context.Context) (ui.VariablesReport, error) {
	var found checks.Inspection
	err := v.check()
	if err == nil {
		err = v.visit(ctx, func(env *environment.Environment, p *place) (err error) {
			found, err = v.inspect(ctx, env, p)
			if err == nil && v.noMask {
				err = unmask(ctx, p, &found)
			}
			return err
		})
	}
	return ui.VariablesReport{Inspection: found}, err
}

// checkChoice refuses what cannot be meant, whatever the environment.
func (v vars) checkChoice() error {
	for _, category := range v.categories {
		if !slices.Contains(checks.Categories(), category) {
			return hint.With(fmt.Errorf("--category: there is no category %q", category), "the categories are "+strings.Join(checks.Categories(), ", "))
		}
	}
	for _, pattern := range v.filter {
		if _, err := path.Match(pattern, ""); err != nil {
			return hint.With(fmt.Errorf("--filter: %q is no pattern", pattern), "write names such as DATABASE_URL, or patterns such as '*_URL'")
		}
	}
	if v.noMask && v.other != "" {
		return hint.With(errors.New("--compare shows no sensitive value, also with --no-mask"), "leave one of the two out")
	}
	return nil
}

// check refuses what the environment does not have, and what may not be shown of it.
func (v vars) check() error {
	env, err := v.environment()
	if err != nil {
		return err
	}
	var roles []string
	for _, s := range env.Services.List() {
		roles = append(roles, string(s.Role))
	}
	for _, service := range v.services {
		if !slices.Contains(roles, roleOf(env, service)) {
			return hint.With(fmt.Errorf("--service: %s has no service %q", env.Name, service), "its services are "+strings.Join(roles, ", "))
		}
	}
	if v.noMask && env.Protected {
		return hint.With(fmt.Errorf("%s is protected: its sensitive values are not shown", env.Name), "leave --no-mask out; who must see a value reads the secret itself, and AWS notes who did")
	}
	return nil
}

// roleOf is the role of a service that is named by it, or by its whole name.
func roleOf(env *environment.Environment, service string) string {
	for _, s := range env.Services.List() {
		if service == env.ServiceName(s.Role) {
			return string(s.Role)
		}
	}
	return service
}

// inspect finds out what the containers of an environment get, and keeps what was asked for.
func (v vars) inspect(ctx context.Context, env *environment.Environment, p *place) (checks.Inspection, error) {
	trace := &tracer{}
	found, err := checks.Inspect(ctx, env, checks.Sources{AWS: p.aws, Network: p.network},
		checks.Options{Timeout: v.timeout, Trace: trace.add}, lastDeployed(ctx, p, env), p.clock)
	if v.debug && len(trace.calls) > 0 {
		v.warn(ui.Trace(v.err, env.Name, trace.calls, styleOf(v.err, v.noColor)))
	}
	if ctx.Err() != nil {
		return found, context.Cause(ctx)
	}
	if err != nil {
		return found, fmt.Errorf("look at the services of %s: %w", env.Name, err)
	}
	before := len(found.Containers)
	found.Containers = slices.DeleteFunc(found.Containers, func(c checks.Container) bool {
		return len(v.services) > 0 && !slices.ContainsFunc(v.services, func(s string) bool { return roleOf(env, s) == c.Role })
	})
	shown := 0
	for i := range found.Containers {
		c := &found.Containers[i]
		c.Variables = slices.DeleteFunc(c.Variables, func(one checks.Variable) bool { return !v.wants(one) })
		shown += len(c.Variables)
	}
	if before > 0 && shown == 0 {
		v.warn(errors.New("no variable is left by --filter and --category"))
	}
	if len(v.services) > 0 {
		found.Findings = slices.DeleteFunc(found.Findings, func(f checks.Finding) bool { return !v.about(env, f) })
		found.Status = checks.Aggregate(found.Findings).Status
	}
	return found, nil
}

// about reports whether a finding is about one of the services that were asked for, or about all of them.
func (v vars) about(env *environment.Environment, f checks.Finding) bool {
	return f.Component != "variables" || slices.ContainsFunc(v.services, func(s string) bool {
		return strings.HasPrefix(f.Service, env.ServiceName(environment.Role(roleOf(env, s))))
	})
}

// wants reports whether a variable was asked for, by its name and its category.
func (v vars) wants(one checks.Variable) bool {
	named := func(pattern string) bool {
		matches, _ := path.Match(strings.ToUpper(pattern), strings.ToUpper(one.Name))
		return matches
	}
	sorted := func(category string) bool { return slices.Contains(one.Categories, category) }
	return (len(v.filter) == 0 || slices.ContainsFunc(v.filter, named)) &&
		(len(v.categories) == 0 || slices.ContainsFunc(v.categories, sorted))
}

// lastDeployed are the revisions that the last deployment left, by service; none where no record can be read.
func lastDeployed(ctx context.Context, p *place, env *environment.Environment) map[string]string {
	records, err := p.records.List(ctx, env.Stack, recordsLooked)
	if err != nil {
		return nil
	}
	return history.LastRevisions(records)
}

// compare holds two environments against each other.
func (v vars) compare(ctx context.Context) error {
	if err := v.check(); err != nil {
		return err
	}
	other := v
	other.name = v.other
	env, err := other.environment()
	if err != nil {
		return fmt.Errorf("--compare: %w", err)
	}
	if environment.StackOf(v.name) == env.Stack {
		return hint.With(fmt.Errorf("--compare: %s is the environment itself", v.other), "name another one; `deployer env list` lists them")
	}
	var inspections []checks.Inspection
	for _, one := range []vars{v, other} {
		err := one.visit(ctx, func(env *environment.Environment, p *place) error {
			found, err := one.inspect(ctx, env, p)
			if err == nil && len(found.Containers) == 0 {
				return hint.With(fmt.Errorf("%s runs no service, so there is nothing to compare", env.Name), "`deployer status --env "+env.Stack+"` says what is there")
			}
			inspections = append(inspections, found)
			return err
		})
		if err != nil {
			return err
		}
	}
	return ui.Comparison(v.out, checks.Compare(inspections[0], inspections[1]), v.format, v.style())
}
