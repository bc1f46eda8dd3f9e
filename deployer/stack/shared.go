package stack

import (
	"context"
	"fmt"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

// DeployShared deploys the shared stack, after recovering what a deployer that was killed left of it. It returns the outputs.
func (o *Opener) DeployShared(ctx context.Context, t *target.Target, shared *environment.Shared, progress Progress) (map[string]engine.Output, error) {
	defer o.PrintKey(t)
	handle, err := o.Handle(ctx, t, Create)
	if err != nil {
		return nil, err
	}
	program, recovery := infra.DeployShared(shared, o.Options.EndpointURL), recoverer{handle, t}
	if recovery.required() {
		if err := recovery.runStep(ctx, progress, program); err != nil {
			return nil, err
		}
	}
	err = progress.Step(ctx, "shared", func(report func(string)) (string, error) {
		var done engine.Summary
		err := recovery.run(ctx, report, func() (err error) {
			done, err = handle.Up(ctx, engine.Update{Program: program, Message: "bootstrap"}, reportTo(progress, "shared"))
			return err
		})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d resources changed", done.Changed()), nil
	})
	return handle.Outputs(), err
}
