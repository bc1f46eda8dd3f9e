package command

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/infra"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

func outputsVerb() verb {
	return verb{
		name: "outputs", usage: "print the outputs of an environment's stack: addresses, names, the image",
		examples: []string{
			"deployer outputs --env staging",
			"deployer outputs --env staging --format json | jq -r .image",
			"deployer outputs --env shared",
		},
		formats: []string{"text", "json", "yaml"},
		run: func(ctx context.Context, s *services, _ *cli.Context) error {
			return outputsOptions{targets: s.targets, terminal: s.terminal, stacks: s.stacks, format: s.flags.format}.run(ctx)
		},
	}
}

type outputsOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener
	format   string
}

// run prints a stack's outputs, secret ones masked.
func (o outputsOptions) run(ctx context.Context) error {
	t, err := o.targets.open(ctx, o.targets.selected)
	if err != nil {
		return err
	}
	defer o.targets.close(t)
	found, err := o.outputs(ctx, t)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return hint.With(fmt.Errorf("the stack %s has no outputs: nothing is deployed there", t.Stack), "`deployer up` deploys an environment, `deployer bootstrap` the shared stack")
	}
	values := map[string]any{}
	for key, output := range found {
		values[key] = output.Value
	}
	sanitize.Value(&values)
	if o.format == "text" {
		delete(values, infra.OutputEnvironment) // a whole description has no place in a table
	}
	return ui.Outputs(o.terminal.out, values, o.format)
}

func (o outputsOptions) outputs(ctx context.Context, t *target.Target) (map[string]engine.Output, error) {
	if t.Env == nil {
		handle, err := o.stacks.Handle(ctx, t, stack.MustExist)
		if err != nil {
			return nil, err
		}
		return handle.Outputs(), nil
	}
	opened, err := o.stacks.Open(ctx, t, stack.MustExist, stack.Scope{})
	if err != nil {
		return nil, err
	}
	return opened.Outputs(), nil
}
