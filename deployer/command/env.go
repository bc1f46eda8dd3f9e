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
						targets: s.targets, terminal: s.terminal, format: s.flags.format, explain: c.Bool("explain"), notes: map[string]string{},
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
	// notes are about valid files, by their names.
	notes map[string]string
}

func (o envValidateOptions) run() error {
	if o.targets.several() && !o.targets.all() {
		return errSeveral(o.targets.selected)
	}
	results, err := o.validate()
	valid := list.Map(results, func(file string) ui.ValidFile { return ui.ValidFile{Name: file, Note: o.notes[file]} })
	switch {
	case err != nil && o.explain:
		return errors.Join(err, ui.Rules(o.terminal.out, brokenRules(err), o.format, o.terminal.style()))
	case err != nil:
		if len(results) > 0 { // of the others, it is known that they are valid
			err = errors.Join(err, ui.Validation(o.terminal.out, valid, o.format))
		}
		return hint.With(err, "`deployer env validate --explain` explains the rules that are broken")
	case o.explain:
		return ui.Rules(o.terminal.out, docs.Rules(), o.format, o.terminal.style())
	}
	return ui.Validation(o.terminal.out, valid, o.format)
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
		o.inspect(env)
		return []string{environment.FileName(env.Stack)}, nil
	}
	var problems []error
	if o.targets.selected != environment.SharedStack {
		envs, err := environment.LoadAll(o.targets.options.Dir)
		problems = append(problems, err)
		for _, env := range envs {
			valid = append(valid, environment.FileName(env.Stack))
			o.inspect(env)
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

// inspect prints what will go wrong later although the file is valid, and notes what its schedule does next.
func (o envValidateOptions) inspect(env *environment.Environment) {
	now := time.Now()
	if schedule := env.AwakeSchedule(); schedule != nil {
		o.notes[environment.FileName(env.Stack)] = describeSchedule(*schedule, now)
	}
	warnings := env.Warnings(now)
	if w := pricing.BudgetWarning(env); w != nil {
		warnings = append(warnings, *w)
	}
	for _, w := range warnings {
		o.terminal.warn(fmt.Errorf("%s: %s: %s; %s", environment.FileName(env.Stack), w.Path, w.Message, w.Remedy))
	}
}

// describeSchedule returns how long an environment is awake by its schedule, and the next two times that the schedule names after now.
func describeSchedule(s environment.Schedule, now time.Time) string {
	text := fmt.Sprintf("schedule.awake: awake %.0f of %d hours a month", s.HoursPerMonth(), environment.HoursPerMonth)
	separator := "; next it "
	for range 2 {
		awake, at := s.Next(now)
		action := "sleeps"
		if awake {
			action = "wakes"
		}
		text += fmt.Sprintf("%s%s at %s", separator, action, at.Format("Mon 2006-01-02 15:04 MST"))
		now, separator = at, ", then "
	}
	return text
}
