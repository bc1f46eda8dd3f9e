package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func destroyVerb() verb {
	return verb{
		name: "destroy", usage: "delete an environment's resources",
		about: `Refused where the environment is protected, unless its file lifts the protection. The configuration secret,
the images and the hosted zone stay; of the database a final snapshot stays.`,
		examples: []string{"deployer destroy --env dev", "deployer destroy --env dev --local --yes"},
		run: func(ctx context.Context, s settings, _ *cli.Context) error {
			return destroy{s}.run(ctx)
		},
	}
}

// destroy deletes an environment.
type destroy struct{ settings }

func (d destroy) run(ctx context.Context) error {
	return d.visit(ctx, func(env *environment.Environment, p *place) error {
		if env.Protected {
			return hinted{fmt.Errorf("%s is protected and is not destroyed", env.Name),
				"set `protected: false` in " + environment.FileName(env.Stack) + ", deploy that, then destroy"}
		}
		opened, err := d.openEnvironment(ctx, p, env, true)
		if err != nil {
			return err
		}
		if err := d.confirm("destroy", env.Name, true); err != nil {
			return err
		}
		return d.delete(ctx, opened)
	})
}

func (d destroy) delete(ctx context.Context, opened *stack) error {
	progress := ui.NewProgress(d.err, d.progressOptions())
	defer progress.Close()
	err := progress.Step("destroy", func(say func(string)) (string, error) {
		done, err := opened.handle.Destroy(ctx, engine.Update{Message: "destroy"}, func(e engine.Event) { tellEvent(e, say) })
		return fmt.Sprintf("%d resources deleted", done.Changed()), err
	})
	if err != nil {
		return failure{err}
	}
	return nil
}
