package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

func importVerb() verb {
	return verb{
		name: "import", usage: "take what the account has already, such as what the CDK made, into a stack",
		about: `Looks in the account for everything that the program would create, by name and by place, whoever made it, and says
what it found, why that is a match, and what the first up would do to it. Writes the file that pulumi import --file
reads; with --take, takes what it found into the stack itself. Neither changes a resource of the account. Data that
would be replaced is not taken unless --allow-replacement says so. It can be run again: what the stack has stays.
Works on --env shared too, which comes first. How to move from the CDK: docs/migration.md.
Exit code: 0 all is clear, 2 something is ambiguous or would be replaced, 3 could not run.`,
		examples: []string{
			"deployer import --env shared --take",
			"deployer import --env staging --output import.json",
			"pulumi import --file import.json --stack staging --protect=false --generate-code=false",
			"deployer import --env staging --take && deployer preview --env staging",
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "take", Usage: "take what is found into the stack, under the environment's lock"},
			&cli.BoolFlag{Name: "dry-run", Usage: "with --take: say what would be taken, and take nothing"},
			&cli.BoolFlag{Name: "allow-replacement", Usage: "take data, too, that the first up would replace and so lose"},
			waitFlag(),
		},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return importing{settings: s, take: c.Bool("take") && !c.Bool("dry-run"), replacing: c.Bool("allow-replacement")}.run(ctx)
		},
	}
}

// importing takes what an account has into a stack.
type importing struct {
	settings
	// take changes the stack; otherwise the engine's import file is written.
	take bool
	// replacing takes data that the program would replace.
	replacing bool
}

// importedStack is the stack that something is imported into: an environment's, or the shared one.
type importedStack struct {
	account account
	// name is the environment's, stack the stack's.
	name, stack string
	program     pulumi.RunFunc
	// image is the one that runs; "" where none does.
	image string
}

func (i importing) run(ctx context.Context) error {
	if err := i.checkRegion(); err != nil {
		return err
	}
	a, name, err := i.account()
	if err != nil {
		return err
	}
	p, err := i.open(ctx, a)
	if err != nil {
		return err
	}
	defer i.leave(p)
	if err := p.verify(ctx, a.id, name); err != nil {
		return err
	}
	target, err := i.target(ctx, p, a)
	if err != nil {
		return err
	}
	found, err := i.look(ctx, p, target)
	if err != nil {
		return err
	}
	report := found.report(target)
	if err := ui.Import(i.err, report, styleOf(i.err, i.noColor)); err != nil {
		return err
	}
	if i.take {
		return i.bring(ctx, p, target, found, report)
	}
	state, err := i.known(ctx, p, target)
	if err != nil {
		return err
	}
	err = ui.JSON(i.out, engine.NewImportFile(found.frame, found.found, state))
	if err == nil && !report.Unambiguous() {
		err = verdict(codeWarnings)
	}
	return err
}

// target is the stack that --env names, with the image that runs there now.
func (i importing) target(ctx context.Context, p *place, a account) (importedStack, error) {
	if i.name == environment.SharedStack {
		shared, err := i.shared()
		if err != nil {
			return importedStack{}, err
		}
		return importedStack{
			account: a, name: environment.SharedStack, stack: environment.SharedStack, program: infra.DeployShared(shared, i.endpointURL),
		}, nil
	}
	env, err := i.environment()
	if err != nil {
		return importedStack{}, err
	}
	uses, err := release.RunningImages(ctx, ecs.NewFromConfig(p.aws), env)
	if err != nil {
		return importedStack{}, err
	}
	r := infra.Release{Image: env.ImageReference("sha256:" + emptyDigest), EndpointURL: i.endpointURL}
	for _, use := range uses {
		if use.Role == environment.API && use.Digest != "" {
			r.Image = env.ImageReference(use.Digest)
			r.RecordedImage = r.Image
		}
	}
	return importedStack{account: a, name: env.Name, stack: env.Stack, program: infra.Deploy(env, r), image: r.RecordedImage}, nil
}

// look rehearses the import in a stack that nobody keeps.
func (i importing) look(ctx context.Context, p *place, target importedStack) (*rehearsal, error) {
	handle, forget, err := i.openThrowaway(ctx, p, target.stack)
	if err != nil {
		return nil, err
	}
	defer forget()
	progress := ui.NewProgress(i.err, i.progressOptions())
	defer progress.Close()
	r := newRehearsal(mender{handle: handle, aws: p.aws, account: target.account.id}, target.program)
	err = progress.Step("look", func(say func(string)) (string, error) {
		err := r.run(ctx, say)
		if err != nil && strings.Contains(err.Error(), infra.NoMasterSecret) {
			err = hint.With(err, "let RDS keep the password first, and read in docs/migration.md what that does to DATABASE_URL: "+
				"`aws rds modify-db-instance --manage-master-user-password --apply-immediately --db-instance-identifier ID`")
		}
		return fmt.Sprintf("%d resources are in the account", len(r.found)), err
	})
	return r, err
}

// known is what the stack has already.
func (i importing) known(ctx context.Context, p *place, target importedStack) (engine.State, error) {
	handle, err := i.openStack(ctx, p, target.stack, true)
	if absent := (*engine.NoStackError)(nil); errors.As(err, &absent) {
		return engine.State{}, nil
	}
	if unreachable := (*engine.BackendError)(nil); errors.As(err, &unreachable) {
		i.warn(fmt.Errorf("the file takes the stack for an empty one: %w", err)) // before the first bootstrap there is no bucket
		return engine.State{}, nil
	}
	if err != nil {
		return engine.State{}, err
	}
	return handle.Current(), nil
}

// bring takes what was found into the stack, after asking.
func (i importing) bring(ctx context.Context, p *place, target importedStack, found *rehearsal, report ui.ImportReport) error {
	if unclear := report.Ambiguous(); len(unclear) > 0 {
		return hint.With(fmt.Errorf("it is not clear which is meant: %s; nothing was taken", strings.Join(unclear, " and ")),
			"rename or delete the others, or take --output and write the right ones into the file for `pulumi import --file`")
	}
	if lost := report.DataLosses(); len(lost) > 0 && !i.replacing {
		return hint.With(fmt.Errorf("the first up would replace %s, and lose the data: nothing was taken", strings.Join(lost, " and ")),
			"make "+environment.FileName(target.stack)+" say what is there; docs/migration.md says what can be changed, and what a copy of the data is for. "+
				"--allow-replacement takes it all the same")
	}
	if err := i.confirm(ctx, "take what was found into the stack of", target.name, fmt.Sprintf("%d resources become the stack's", len(found.found))); err != nil {
		return err
	}
	if err := i.store(ctx, p, target); err != nil {
		return err
	}
	held, err := i.acquire(ctx, p, i.holder(target.name, target.stack, "import"), i.wait)
	if err != nil {
		return err
	}
	return held.Run(ctx, func(ctx context.Context) error { return i.settle(ctx, p, target, found, held) })
}

// store makes the bucket and the key of the state before the first import of an account: a bootstrap would make the shared
// resources anew.
func (i importing) store(ctx context.Context, p *place, target importedStack) error {
	if target.stack != environment.SharedStack {
		return nil
	}
	shared, err := i.shared()
	if err != nil {
		return err
	}
	_, err = bootstrap{settings: i.settings}.stateStore(ctx, p, shared)
	return err
}

// settle takes what was found into the stack.
func (i importing) settle(ctx context.Context, p *place, target importedStack, found *rehearsal, held *lock.Held) error {
	handle, err := i.openStack(ctx, p, target.stack, false)
	if err != nil {
		return err
	}
	m := mender{handle, p.aws, target.account.id, held}
	progress := ui.NewProgress(i.err, i.progressOptions())
	defer progress.Close()
	taken := 0
	err = tried(progress.Step("take", func(say func(string)) (string, error) {
		say(fmt.Sprintf("reading %d resources", len(found.found)))
		told, err := m.unlocking(ctx, func() (err error) {
			taken, err = found.repeat(ctx, handle, target.image)
			return m.orphaned(ctx, err)
		})
		for _, what := range told {
			say(what)
		}
		return fmt.Sprintf("%d resources are the stack's", taken), err
	}))
	if err != nil {
		return err
	}
	if missing := len(found.found) - taken; missing > 0 {
		return failure{hint.With(fmt.Errorf("%d of %d resources could not be taken", missing, len(found.found)), "run it again")}
	}
	next := "deployer preview --env " + target.stack
	if target.stack == environment.SharedStack {
		next = "deployer bootstrap --dry-run"
	}
	_, err = fmt.Fprintf(i.out, "%d resources of %s are the stack's; `%s` says what comes next\n", taken, target.name, next)
	return err
}
