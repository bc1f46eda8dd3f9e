package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/docs"
	"github.com/balancer/v3-backend-infra/environment"
)

func envVerb() verb {
	return verb{
		name: "env", usage: "environments, which are files",
		verbs: []verb{
			{
				name: "list", usage: "the environments and what sets them apart",
				examples: []string{"deployer env list", "deployer env list --format json"},
				formats:  []string{"text", "json"},
				run: func(_ context.Context, s settings, _ *cli.Context) error {
					return envList{s}.run()
				},
			},
			{
				name: "validate", usage: "check one environment's file, or all of them",
				about: "With --explain: every rule, its default and where it comes from; where files are not valid, the rules that they break.",
				examples: []string{
					"deployer env validate", "deployer env validate --env production", "deployer env validate --explain",
				},
				formats: []string{"text", "json"},
				flags:   []cli.Flag{&cli.BoolFlag{Name: "explain", Usage: "explain the rules"}},
				run: func(_ context.Context, s settings, c *cli.Context) error {
					return envValidate{settings: s, explain: c.Bool("explain")}.run()
				},
			},
			envNewVerb(),
		},
	}
}

// envList shows the environments side by side.
type envList struct{ settings }

func (l envList) run() error {
	envs, err := environment.LoadAll(l.dir)
	if err != nil {
		return err
	}
	if len(envs) == 0 {
		return hint.With(fmt.Errorf("no environment is described in %s", l.dir), "run from the project's root or name it with --dir")
	}
	return ui.Environments(l.out, envs, l.format, l.style())
}

// envValidate checks files without asking anybody.
type envValidate struct {
	settings
	explain bool
}

func (v envValidate) run() error {
	results, err := v.validate()
	switch {
	case err != nil && v.explain:
		return errors.Join(err, ui.Rules(v.out, brokenRules(err), v.format, v.style()))
	case err != nil:
		return hint.With(err, "`deployer env validate --explain` explains the rules that are broken")
	case v.explain:
		return ui.Rules(v.out, docs.Rules(), v.format, v.style())
	}
	return ui.Validation(v.out, results, v.format)
}

// brokenRules are the rules about the keys that problems name, each once.
func brokenRules(err error) []docs.Rule {
	rules := []docs.Rule{}
	var several interface{ Unwrap() []error }
	var invalid *environment.InvalidError
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
			for _, rule := range docs.RulesOf(p.Path, invalid.File == environment.FileName(environment.SharedStack)) {
				if p.Path != "" && !slices.Contains(rules, rule) {
					rules = append(rules, rule)
				}
			}
		}
	}
	return rules
}

func (v envValidate) validate() (valid []string, err error) {
	if v.name != "" && v.name != environment.SharedStack {
		env, err := environment.LoadAndCompare(v.dir, v.name)
		if err != nil {
			return nil, err
		}
		return []string{environment.FileName(env.Stack)}, nil
	}
	var problems []error
	if v.name == "" {
		envs, err := environment.LoadAll(v.dir)
		problems = append(problems, err)
		for _, env := range envs {
			valid = append(valid, environment.FileName(env.Stack))
		}
	}
	_, err = environment.LoadShared(v.dir)
	if err == nil {
		valid = append(valid, environment.FileName(environment.SharedStack))
	}
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, fmt.Errorf("not valid:\n%w", err)
	}
	return valid, nil
}
