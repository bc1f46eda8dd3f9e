package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

func destroyVerb() verb {
	return verb{
		name: "destroy", usage: "delete an environment's resources",
		about: `Refused where the environment is protected, unless its file lifts the protection; production's cannot. The
configuration secret, the images and the hosted zone stay; of the database a final snapshot stays.`,
		examples: []string{"deployer destroy --env dev", "deployer destroy --env dev --local --yes"},
		flags:    []cli.Flag{waitFlag(), strictFlag()},
		run: func(ctx context.Context, s settings, _ *cli.Context) error {
			return destroy{s}.run(ctx)
		},
	}
}

// destroying is what the holder of the lock does.
const destroying = "destroy"

// destroy deletes an environment.
type destroy struct{ settings }

func (d destroy) run(ctx context.Context) error {
	if err := d.checkRegion(); err != nil {
		return err
	}
	return d.visit(ctx, func(env *environment.Environment, p *place) error {
		if err := refuseProtected(env); err != nil {
			return err
		}
		// The state is read under the lock: whoever is waited for changes it.
		return d.exclusively(ctx, p, env, destroying, func(ctx context.Context, held *lock.Held) error {
			opened, err := d.openEnvironment(ctx, p, env, true)
			if err != nil {
				return err
			}
			if err := d.confirm(ctx, "destroy", env.Name, "what is destroyed does not come back"); err != nil {
				return err
			}
			opened.held = held
			return d.delete(ctx, opened)
		})
	})
}

func (d destroy) delete(ctx context.Context, opened *stack) error {
	progress := ui.NewProgress(d.err, d.progressOptions())
	defer progress.Close()
	if opened.needed() {
		image := cmp.Or(opened.recorded, opened.env.ImageReference("sha256:"+emptyDigest))
		if err := opened.step(ctx, progress, opened.program(image, image)); err != nil {
			return err
		}
	}
	return tried(progress.Step("destroy", func(say func(string)) (string, error) {
		var done engine.Summary
		told, err := opened.unlocking(ctx, func() (err error) {
			done, err = opened.handle.Destroy(ctx, engine.Update{Message: "destroy"}, func(e engine.Event) { tellEvent(e, say) })
			return opened.orphaned(ctx, err)
		})
		for _, what := range told {
			say(what)
		}
		for _, warning := range done.Warnings {
			progress.Report(release.Event{Kind: release.Warning, Phase: "destroy", Message: warning})
		}
		d.count(len(done.Warnings))
		return fmt.Sprintf("%d resources deleted", done.Changed()), err
	}))
}

// refuseProtected leaves a protected environment standing, and says what lifts the protection. Production's is lifted
// by nothing: a file without it is not valid.
func refuseProtected(env *environment.Environment) error {
	if !env.Protected {
		return nil
	}
	suggestion := "set `protected: false` in " + environment.FileName(env.Stack) + ", deploy that, then destroy"
	if env.Stack == environment.StackOf("production") {
		suggestion = fmt.Sprintf("this program never destroys production, whatever its file says; by hand: in the account, take the deletion "+
			"protection from the database %s and the load balancer %s and empty the bucket %s, then `pulumi destroy --stack %s`",
			env.DatabaseIdentifier(), env.LoadBalancerName(), env.LogBucketName(), env.Stack)
	}
	return hint.With(fmt.Errorf("%s is protected and is not destroyed", env.Name), suggestion)
}
