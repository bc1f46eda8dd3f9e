package command

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/docs"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/problem"
	"github.com/balancer/v3-backend-infra/pricing"
)

func envVerb() verb {
	return verb{
		name: "env", usage: "list, validate and create environments",
		verbs: []verb{
			{
				name: "list", usage: "list the environments and how they differ",
				examples: []string{"deployer env list", "deployer env list --format json"},
				formats:  []string{"text", "json"},
				run: func(_ context.Context, s *services, _ *cli.Context) error {
					return envList(s)
				},
			},
			{
				name: "validate", usage: "check one environment's file, or all of them",
				long: "With --explain, prints every rule, its default and its source; where files are not valid, only the rules that they break.",
				examples: []string{
					"deployer env validate", "deployer env validate --env production", "deployer env validate --explain",
				},
				formats: []string{"text", "json"},
				flags:   []cli.Flag{&cli.BoolFlag{Name: "explain", Usage: "explain the rules"}},
				run: func(_ context.Context, s *services, c *cli.Context) error {
					return envValidateOptions{
						targets: s.targets, terminal: s.terminal, format: s.flags.format, explain: c.Bool("explain"),
					}.run()
				},
			},
			envNewVerb(),
		},
	}
}

// envList prints the environments side by side. Files that are not valid are an error, and do not hide the others.
func envList(s *services) error {
	envs, err := environment.LoadAll(s.flags.Dir)
	if len(envs) == 0 {
		if err != nil {
			return err
		}
		return hint.With(fmt.Errorf("%s has no file of an environment", s.flags.Dir), "run from the project's root or name it with --dir")
	}
	if err != nil {
		err = fmt.Errorf("not valid:\n%w", err)
	}
	return errors.Join(ui.Environments(s.terminal.out, envs, s.flags.format, s.terminal.style()), err)
}

// envValidateOptions are those of a check that needs only files.
type envValidateOptions struct {
	targets  *targets
	terminal *terminal
	format   string
	explain  bool
}

func (o envValidateOptions) run() error {
	if o.targets.several() && !o.targets.all() {
		return errSeveral(o.targets.selected)
	}
	results, err := o.validate()
	switch {
	case err != nil && o.explain:
		return errors.Join(err, ui.Rules(o.terminal.out, brokenRules(err), o.format, o.terminal.style()))
	case err != nil:
		if len(results) > 0 { // of the others, it is known that they are valid
			err = errors.Join(err, ui.Validation(o.terminal.out, results, o.format))
		}
		return hint.With(err, "`deployer env validate --explain` explains the rules that are broken")
	case o.explain:
		return ui.Rules(o.terminal.out, docs.Rules(), o.format, o.terminal.style())
	}
	return ui.Validation(o.terminal.out, results, o.format)
}

// brokenRules returns the rules about the keys that problems name, each once.
func brokenRules(err error) []docs.Rule {
	rules := []docs.Rule{}
	var several interface{ Unwrap() []error }
	var invalid *problem.Error
	switch {
	case errors.As(err, &several):
		for _, one := range several.Unwrap() {
			for _, rule := range brokenRules(one) {
				if !slices.Contains(rules, rule) {
					rules = append(rules, rule)
				}
			}
		}
	case errors.As(err, &invalid):
		for _, p := range invalid.Problems {
			for _, rule := range docs.RulesOf(p.Path, invalid.Source == environment.FileName(environment.SharedStack)) {
				if p.Path != "" && !slices.Contains(rules, rule) {
					rules = append(rules, rule)
				}
			}
		}
	}
	return rules
}

func (o envValidateOptions) validate() (valid []string, err error) {
	if o.targets.selected != "" && !o.targets.all() && o.targets.selected != environment.SharedStack {
		env, err := environment.LoadAndCompare(o.targets.options.Dir, o.targets.selected)
		if err != nil {
			return nil, err
		}
		o.warn(env)
		return []string{environment.FileName(env.Stack)}, nil
	}
	var problems []error
	if o.targets.selected != environment.SharedStack {
		envs, err := environment.LoadAll(o.targets.options.Dir)
		problems = append(problems, err)
		for _, env := range envs {
			valid = append(valid, environment.FileName(env.Stack))
			o.warn(env)
		}
	}
	_, err = environment.LoadShared(o.targets.options.Dir)
	if err == nil {
		valid = append(valid, environment.FileName(environment.SharedStack))
	}
	if err := errors.Join(append(problems, err)...); err != nil {
		broken := brokenFiles(err)
		return list.Filter(valid, func(file string) bool { return !slices.Contains(broken, file) }), fmt.Errorf("not valid:\n%w", err)
	}
	return valid, nil
}

// brokenFiles returns the files that have problems, and those with which they conflict.
func brokenFiles(err error) []string {
	var several interface{ Unwrap() []error }
	var invalid *problem.Error
	var files []string
	switch {
	case errors.As(err, &several):
		for _, one := range several.Unwrap() {
			files = append(files, brokenFiles(one)...)
		}
	case errors.As(err, &invalid):
		files = append(files, invalid.Source)
		for _, p := range invalid.Problems {
			files = append(files, p.Other)
		}
	}
	return files
}

// warn prints what will go wrong later although the file is valid.
func (o envValidateOptions) warn(env *environment.Environment) {
	warnings := env.Warnings(time.Now())
	if w := pricing.BudgetWarning(env); w != nil {
		warnings = append(warnings, *w)
	}
	for _, w := range warnings {
		o.terminal.warn(fmt.Errorf("%s: %s: %s; %s", environment.FileName(env.Stack), w.Path, w.Message, w.Remedy))
	}
}
