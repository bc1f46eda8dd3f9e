package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/infra"
	"github.com/balancer/v3-backend-infra/internal/sanitize"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func outputsVerb() verb {
	return verb{
		name: "outputs", usage: "print the outputs of an environment's stack: addresses, names, the image",
		examples: []string{
			"deployer outputs --env staging",
			"deployer outputs --env staging --format json | jq -r .image",
			"deployer outputs --env shared",
		},
		formats:     []string{"text", "json", "yaml"},
		takesShared: true,
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
	found, err := o.state(ctx, t)
	if absent := (*engine.NoStackError)(nil); err != nil && !errors.As(err, &absent) {
		return err
	}
	if len(found.Outputs) == 0 {
		return noOutputs(t, found)
	}
	if records, err := t.Records.List(ctx, t.Stack, 1); err == nil && len(records) > 0 && records[0].Kind == history.Destroy {
		o.terminal.warn(fmt.Errorf("a destroy of %s did not reach its end: resources that the outputs name may not exist", t.Name))
	}
	values := map[string]any{}
	for key, output := range found.Outputs {
		values[key] = output.Value
	}
	sanitize.Value(&values)
	if o.format == "text" {
		delete(values, infra.OutputEnvironment) // a whole description has no place in a table
	}
	return ui.Outputs(o.terminal.out, values, o.format, o.terminal.style())
}

// noOutputs returns the error of a stack without outputs, which the engine writes at the end of a deployment.
func noOutputs(t *target.Target, state engine.State) error {
	up := "`deployer up --env " + t.Stack + " --image-tag TAG`"
	if t.Env == nil {
		up = "`deployer bootstrap`"
	}
	if count := len(stack.Resources(state)); count > 0 {
		return hint.With(fmt.Errorf("the stack %s has no outputs: its first deployment has not ended, and has created %s so far", t.Stack,
			text.Plural(count, "resource", "")), up+" continues it; `deployer history --env "+t.Stack+"` shows where it stopped")
	}
	return hint.With(fmt.Errorf("the stack %s has no outputs: nothing is deployed there", t.Stack), up+" deploys it")
}

// state returns the state of the target's stack.
func (o outputsOptions) state(ctx context.Context, t *target.Target) (engine.State, error) {
	if t.Env == nil {
		handle, err := o.stacks.Handle(ctx, t, stack.MustExist)
		if err != nil {
			return engine.State{}, err
		}
		return handle.Current(), nil
	}
	opened, err := o.stacks.Open(ctx, t, stack.MustExist, stack.Scope{})
	if err != nil {
		return engine.State{}, err
	}
	return opened.State(), nil
}
