package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/ui"
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
				examples: []string{"deployer env validate", "deployer env validate --env production"},
				formats:  []string{"text", "json"},
				run: func(_ context.Context, s settings, _ *cli.Context) error {
					return envValidate{s}.run()
				},
			},
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
		return hinted{fmt.Errorf("no environment is described in %s", l.dir), "run from the project's root or name it with --dir"}
	}
	return ui.Environments(l.out, envs, l.format, l.style())
}

// envValidate checks files without asking anybody.
type envValidate struct{ settings }

func (v envValidate) run() error {
	results, err := v.validate()
	if err != nil {
		return err
	}
	return ui.Validation(v.out, results, v.format)
}

func (v envValidate) validate() (valid []string, err error) {
	if v.name != "" && v.name != environment.SharedStack {
		env, err := environment.Load(v.dir, v.name)
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
