package command

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func destroyVerb() verb {
	return verb{
		name: "destroy", usage: "delete an environment's resources",
		changes: true,
		long: `Rejects a protected environment, unless its file removes the protection; production is never destroyed. The configuration
secret, the images and the hosted zone stay, and a final snapshot of the database is kept.`,
		examples: []string{"deployer destroy --env dev", "deployer destroy --env dev --local --yes"},
		flags:    []cli.Flag{waitFlag(), strictFlag()},
		run: func(ctx context.Context, s *services, _ *cli.Context) error {
			return destroyOptions{targets: s.targets, terminal: s.terminal, stacks: s.stacks, locks: s.locks}.run(ctx)
		},
	}
}

type destroyOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener
	locks    *locker
}

func (o destroyOptions) run(ctx context.Context) error {
	return o.targets.withOwn(ctx, o.targets.selected, func(t *target.Target) error {
		if err := rejectProtected(t.Env); err != nil {
			return err
		}
		// The state is read under the lock: another holder may have changed it.
		return o.locks.withLock(ctx, t, stack.DestroyAction, func(ctx context.Context) error {
			opened, err := o.stacks.Open(ctx, t, stack.MustExist, stack.Scope{})
			if err != nil {
				return err
			}
			if err := o.terminal.confirm(ctx, "destroy", t.Name, "what is destroyed cannot be restored"); err != nil {
				return err
			}
			progress := o.terminal.progress()
			done, err := opened.Destroy(ctx, progress)
			progress.Close()
			o.terminal.warnings.Add(int64(len(done.Warnings)))
			switch n := done.Changed(); {
			case err != nil && ctx.Err() == nil && n > 0: // an interruption reports what was done by itself
				err = fmt.Errorf("%w\nof %s, %s deleted; the others stay", err, t.Name, text.Plural(n, "resource was", "resources were"))
			case err == nil:
				o.terminal.printf("%s was destroyed: %s deleted, after %s; the secret %s and the records of deployments stay\n", t.Name,
					text.Plural(n, "resource", ""), done.Duration.Round(100*time.Millisecond), t.Env.SecretName())
			}
			return markRun(err)
		})
	})
}

// rejectProtected rejects a protected environment, with a hint how to remove the protection. Nothing removes
// production's: a file without it is not valid.
func rejectProtected(env *environment.Environment) error {
	if !env.Protected {
		return nil
	}
	remedy := "set `protected: false` in " + environment.FileName(env.Stack) + ", deploy that, then destroy"
	if env.Stack == environment.StackOf("production") {
		remedy = fmt.Sprintf("this program never destroys production, whatever its file contains; to do it manually: in the account, disable the deletion "+
			"protection of the database %s and the load balancer %s and empty the bucket %s, then `pulumi destroy --stack %s`",
			env.DatabaseIdentifier(), env.LoadBalancerName(), env.LogBucketName(), env.Stack)
	}
	return hint.With(fmt.Errorf("%s is protected and is not destroyed", env.Name), remedy)
}
