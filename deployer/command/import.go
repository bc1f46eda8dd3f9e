package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/discovery"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

func importVerb() verb {
	return verb{
		name: "import", usage: "import existing resources, such as those of the CDK, into a stack",
		changes: true, takesShared: true,
		long: `Searches the account for everything that the program would create, by name and by location, and reports what it found, why
that is a match, and what the first up would do to it. Writes the file that pulumi import --file reads; with --take, imports
what it found into the stack itself. Neither changes a resource of the account. Data that would be replaced is not imported
unless --allow-replacement is given. It can be run again: resources that the stack has already are not changed. Import
--env shared first. How to move from the CDK: docs/migration.md.
Exit code: 0 nothing is ambiguous or replaced, 2 something is, 3 could not run.`,
		examples: []string{
			"deployer import --env shared --take",
			"deployer import --env staging --output import.json",
			"pulumi import --file import.json --stack staging --protect=false --generate-code=false",
			"deployer import --env staging --take && deployer preview --env staging",
		},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "take", Usage: "import what was found into the stack, under the environment's lock"},
			&cli.BoolFlag{Name: "dry-run", Usage: "with --take: report what would be imported, and import nothing"},
			&cli.BoolFlag{Name: "allow-replacement", Usage: "also import data that the first up would replace and so lose"},
			waitFlag(),
		},
		engine: true,
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return importOptions{
				targets: s.targets, terminal: s.terminal, stacks: s.stacks, locks: s.locks,
				apply: c.Bool("take") && !c.Bool("dry-run"), allowReplacement: c.Bool("allow-replacement"),
			}.run(ctx)
		},
	}
}

type importOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener
	locks    *locker
	// apply changes the stack; otherwise the engine's import file is written.
	apply bool
	// allowReplacement imports data that the program would replace.
	allowReplacement bool
}

func (o importOptions) run(ctx context.Context) error {
	return o.targets.withOwn(ctx, o.targets.selected, func(t *target.Target) error {
		program, image, err := o.program(ctx, t)
		if err != nil {
			return err
		}
		plan, err := o.plan(ctx, t, program)
		if err != nil {
			return err
		}
		state, err := o.currentState(ctx, t)
		if err != nil {
			return err
		}
		report := importReport(t, plan, state)
		if err := ui.Import(o.terminal.err, report, o.terminal.errStyle()); err != nil {
			return err
		}
		nothing := len(report.Found) == 0 && report.Unambiguous()
		if o.apply {
			if nothing && report.Owned > 0 {
				return nil
			}
			return o.importInto(ctx, t, plan, report, image)
		}
		err = ui.JSON(o.terminal.out, plan.File(state))
		if !nothing {
			o.terminal.log("nothing was imported: --take imports what was found")
		}
		if err == nil && !report.Unambiguous() {
			err = exitStatus(codeWarnings)
		}
		return err
	})
}

// program returns the target's program with the image that runs there now; image is "" where none does.
func (o importOptions) program(ctx context.Context, t *target.Target) (program pulumi.RunFunc, image string, err error) {
	endpoint := o.targets.options.EndpointURL
	if t.Env == nil {
		shared, err := o.targets.shared()
		if err != nil {
			return nil, "", err
		}
		return infra.DeployShared(shared, endpoint), "", nil
	}
	running, err := release.RunningImages(ctx, ecs.NewFromConfig(t.AWS), t.Env)
	if err != nil {
		return nil, "", err
	}
	for _, use := range running {
		if use.Role == environment.API && use.Digest != "" {
			image = t.Env.ImageReference(use.Digest)
		}
	}
	return infra.Deploy(t.Env, infra.Release{
		Image: cmp.Or(image, stack.PlaceholderImage(t.Env)), RecordedImage: image, EndpointURL: endpoint,
	}), image, nil
}

// plan searches the account, by means of an empty stack that is deleted afterwards.
func (o importOptions) plan(ctx context.Context, t *target.Target, program pulumi.RunFunc) (plan *stack.ImportPlan, err error) {
	handle, discard, err := o.stacks.EphemeralHandle(ctx, t)
	if err != nil {
		return nil, err
	}
	defer discard()
	progress := o.terminal.progress()
	defer progress.Close()
	err = progress.Step(ctx, "look", func(report func(string)) (string, error) {
		plan, err = stack.PlanImport(ctx, handle, t, program, report)
		if err != nil && strings.Contains(err.Error(), infra.NoMasterSecret) {
			err = hint.With(err, "let RDS manage the password first, and read in docs/migration.md what that does to DATABASE_URL: "+
				"`aws rds modify-db-instance --manage-master-user-password --apply-immediately --db-instance-identifier ID`")
		}
		return fmt.Sprintf("%d resources are in the account", len(plan.Found)), err
	})
	return plan, err
}

// currentState returns the stack's state; an empty one where there is no stack.
func (o importOptions) currentState(ctx context.Context, t *target.Target) (engine.State, error) {
	handle, err := o.stacks.Handle(ctx, t, stack.MustExist)
	if absent := (*engine.NoStackError)(nil); errors.As(err, &absent) {
		return engine.State{}, nil
	}
	if unreachable := (*engine.BackendError)(nil); errors.As(err, &unreachable) {
		o.terminal.warn(fmt.Errorf("the stack is taken to be empty: %w", err)) // before the first bootstrap there is no bucket
		return engine.State{}, nil
	}
	if err != nil {
		return engine.State{}, err
	}
	return handle.Current(), nil
}

// importInto imports what was found into the stack, after asking.
func (o importOptions) importInto(ctx context.Context, t *target.Target, plan *stack.ImportPlan, report ui.ImportReport, image string) error {
	if unclear := report.Ambiguous(); len(unclear) > 0 {
		return hint.With(fmt.Errorf("it is ambiguous which resource is meant: %s; nothing was imported", strings.Join(unclear, " and ")),
			"rename or delete the others, or use --output and write the right ones into the file for `pulumi import --file`")
	}
	if lost := report.DataLosses(); len(lost) > 0 && !o.allowReplacement {
		return hint.With(fmt.Errorf("the first up would replace %s, and lose the data: nothing was imported", strings.Join(lost, " and ")),
			"change "+environment.FileName(t.Stack)+" to describe what exists; docs/migration.md explains what can be changed, and when to copy the data. "+
				"--allow-replacement imports it anyway")
	}
	confirm := func(ctx context.Context) error {
		return o.terminal.confirm(ctx, "import what was found into the stack of", t.Name, fmt.Sprintf("%d resources become the stack's", len(report.Found)))
	}
	if t.Env == nil { // the lock needs the bucket, and the bucket is created only after the question
		if err := confirm(ctx); err != nil {
			return err
		}
		if err := o.ensureStateBucket(ctx, t); err != nil {
			return err
		}
		confirm = func(context.Context) error { return nil }
	}
	if err := requireLifetime(ctx, t); err != nil {
		return err
	}
	return o.locks.withLock(ctx, t, "import", func(ctx context.Context) error {
		if err := confirm(ctx); err != nil {
			return err
		}
		progress := o.terminal.progress()
		imported, err := o.stacks.Import(ctx, t, plan, image, progress)
		progress.Close()
		if err != nil {
			return markRun(err)
		}
		if missing := len(plan.Found) - imported; missing > 0 {
			return partialFailure{hint.With(fmt.Errorf("%d of %d resources could not be imported", missing, len(plan.Found)), "run it again")}
		}
		next := "deployer preview --env " + t.Stack
		if t.Env == nil {
			next = "deployer bootstrap --dry-run"
		}
		o.terminal.printf("%d resources of %s imported; `%s` shows what an update would change\n", len(report.Found), t.Name, next)
		return nil
	})
}

// ensureStateBucket creates the state's bucket and key before the first import of an account: a bootstrap would create the shared
// resources again.
func (o importOptions) ensureStateBucket(ctx context.Context, t *target.Target) error {
	shared, err := o.targets.shared()
	if err != nil {
		return err
	}
	_, err = ensureStateBucket(ctx, t, shared, o.terminal.out, false)
	return err
}

// importReport returns what a person has to know before the import. What the stack has already is only counted.
func importReport(t *target.Target, plan *stack.ImportPlan, state engine.State) ui.ImportReport {
	report := ui.ImportReport{Environment: t.Name}
	owned := func(urn string) bool {
		return slices.ContainsFunc(state.Resources, func(r engine.Resource) bool { return r.URN == urn })
	}
	steps := map[string]engine.Step{}
	for _, step := range plan.Plan.Steps {
		steps[step.URN] = step
	}
	for _, f := range plan.Found {
		if owned(f.URN) {
			report.Owned++
			continue
		}
		report.Found = append(report.Found, ui.ImportFound{
			ImportCandidate: f, MatchedBy: plan.Matches[f.URN].By, Step: steps[f.URN], Stateful: discovery.HoldsData(f.Type),
		})
	}
	for _, c := range plan.Plan.NewResources {
		if owned(c.URN) {
			report.Owned++
			continue
		}
		absent := ui.ImportMissing{PlannedResource: c, SkipReason: discovery.SkipReason(c.Type), Stateful: discovery.HoldsData(c.Type)}
		if candidates := plan.Matches[c.URN].IDs; len(candidates) > 1 {
			absent.Candidates = candidates
		}
		if i := slices.IndexFunc(plan.Foreign, func(f engine.ImportCandidate) bool { return f.URN == c.URN }); i >= 0 {
			absent.Foreign = plan.Foreign[i].ID
		}
		report.Missing = append(report.Missing, absent)
	}
	byName := func(a, b engine.PlannedResource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	}
	slices.SortFunc(report.Found, func(a, b ui.ImportFound) int { return byName(a.PlannedResource, b.PlannedResource) })
	slices.SortFunc(report.Missing, func(a, b ui.ImportMissing) int { return byName(a.PlannedResource, b.PlannedResource) })
	return report
}
