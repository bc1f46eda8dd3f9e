package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

func outputsVerb() verb {
	return verb{
		name: "outputs", usage: "what an environment's stack says about itself: addresses, names, the image",
		examples: []string{
			"deployer outputs --env staging",
			"deployer outputs --env staging --format json | jq -r .image",
			"deployer outputs --env shared",
		},
		formats: []string{"text", "json", "yaml"},
		run: func(ctx context.Context, s settings, _ *cli.Context) error {
			return outputs{s}.run(ctx)
		},
	}
}

// outputs prints a stack's outputs, secret ones masked.
type outputs struct{ settings }

func (o outputs) run(ctx context.Context) error {
	a, name, err := o.account()
	if err != nil {
		return err
	}
	p, err := o.open(ctx, a)
	if err != nil {
		return err
	}
	defer o.leave(p)
	handle, err := o.openNamed(ctx, p, name)
	if err != nil {
		return err
	}
	found := handle.Outputs()
	if len(found) == 0 {
		return hint.With(fmt.Errorf("the stack %s has no outputs: nothing is deployed there", name), "`deployer up` deploys an environment, `deployer bootstrap` the shared stack")
	}
	values := map[string]any{}
	for key, output := range found {
		values[key] = output.Value
	}
	if o.format == "text" {
		delete(values, infra.OutputEnvironment) // a whole description has no place in a table
	}
	return ui.Outputs(o.out, values, o.format)
}

// openNamed opens the stack that is there: an environment's or the shared one.
func (o outputs) openNamed(ctx context.Context, p *place, name string) (*engine.Handle, error) {
	if name == environment.SharedStack {
		return o.openStack(ctx, p, name, true)
	}
	env, err := o.environment()
	if err != nil {
		return nil, err
	}
	opened, err := o.openEnvironment(ctx, p, env, true)
	if err != nil {
		return nil, err
	}
	return opened.handle, nil
}

// account is where the named stack lives; here the shared one is meant as well as an environment's.
func (s settings) account() (account, string, error) {
	if s.name == environment.SharedStack {
		shared, err := s.shared()
		if err != nil {
			return account{}, "", err
		}
		return accountOfShared(shared), environment.SharedStack, nil
	}
	env, err := s.environment()
	if err != nil {
		return account{}, "", err
	}
	return accountOf(env), env.Stack, nil
}
