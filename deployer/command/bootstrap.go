package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/doctor"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/stack"
	"github.com/balancer/v3-backend-infra/deployer/statebackend"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

func bootstrapVerb() verb {
	return verb{
		name: "bootstrap", usage: "deploy what the environments of an account share, once per account",
		long: `Creates the bucket and the KMS key of the Pulumi state and of the records (not in local mode, and not where
PULUMI_BACKEND_URL names a directory or another S3 bucket), then deploys the stack "shared" from Pulumi.shared.yaml: the hosted zone, the image repository,
GitHub's OIDC provider and roles. Reports what exists and creates what is missing; running it again is safe. Where the account has some
of these already, from another tool, it lists them with the command that imports them, and deploys nothing. Prints what is left to do at the
registrar and at GitHub; where gh is logged in, it compares GitHub's settings with what the roles rely on, as doctor does.`,
		examples: []string{"deployer bootstrap", "deployer bootstrap --dry-run", "deployer bootstrap --local"},
		flags:    []cli.Flag{&cli.BoolFlag{Name: "dry-run", Usage: "report what would change, and change nothing"}},

		takesShared: true,
		engine:      true,
		run: func(ctx context.Context, s *services, c *cli.Context) error {
			return bootstrapOptions{
				targets: s.targets, terminal: s.terminal, stacks: s.stacks, locks: s.locks, shared: s.shared, dryRun: c.Bool("dry-run"),
			}.run(ctx)
		},
	}
}

// bootstrapAction is what the holder of the shared stack's lock does.
const bootstrapAction = "bootstrap"

type bootstrapOptions struct {
	targets  *targets
	terminal *terminal
	stacks   *stack.Opener
	locks    *locker
	shared   *sharedStack
	dryRun   bool
}

func (o bootstrapOptions) run(ctx context.Context) error {
	return o.targets.withOwn(ctx, environment.SharedStack, func(t *target.Target) error {
		shared, err := o.targets.shared()
		if err == nil && !o.dryRun {
			err = requireLifetime(ctx, t)
		}
		if err != nil {
			return err
		}
		if err := shared.CheckEnvironments(); err != nil {
			return err
		}
		steps, err := o.readGitHub(ctx, t, shared)
		if err != nil {
			return err
		}
		if ready, err := ensureStateBucket(ctx, t, shared, o.terminal.out, o.dryRun); err != nil || !ready {
			return err
		}
		if o.dryRun {
			return o.preview(ctx, t, shared)
		}
		return o.locks.withLock(ctx, t, bootstrapAction, func(ctx context.Context) error {
			if err := o.checkUnmanaged(ctx, t, shared); err != nil {
				return err
			}
			outputs, err := o.shared.deploy(ctx, t, shared, false)
			if err != nil {
				return err
			}
			return o.printNextSteps(outputs, shared, steps)
		})
	})
}

// readGitHub returns the steps that are left at GitHub, as text, and warns of environments that GitHub does not protect: a role trusts them
// from its creation on. A dry run prints the steps at once.
func (o bootstrapOptions) readGitHub(ctx context.Context, t *target.Target, shared *environment.Shared) (steps string, err error) {
	limited, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	found, asked := readGitHub(limited, o.targets, shared, t)
	steps = "GitHub's settings are what the roles rely on.\n"
	left := list.Filter(found, func(f doctor.Finding) bool { return f.Status != checks.Healthy })
	switch failed := list.Filter(left, func(f doctor.Finding) bool { return f.Status == checks.Error }); {
	case !asked:
		expected, err := expectedOfGitHub(o.targets, shared)
		if err != nil {
			return "", err
		}
		if steps = createEnvironments(expected); t.Simulated != nil {
			return steps, nil
		}
		o.terminal.warn(errors.New(found[0].Message))
	case len(left) > 0:
		if len(failed) > 0 {
			o.terminal.warn(fmt.Errorf("GitHub lacks %s on which the roles of this account rely: run the commands that are printed, "+
				"before the roles exist", text.Plural(len(failed), "setting", "settings")))
		}
		var b strings.Builder
		b.WriteString("At GitHub:\n")
		if err := ui.DoctorFindings(&b, left, ui.Style{ASCII: true}); err != nil {
			return "", err
		}
		steps = b.String()
	}
	if o.dryRun {
		o.terminal.printf("%s", steps)
	}
	return steps, nil
}

// createEnvironments returns the commands that create the environments of the repositories, for a bootstrap that cannot ask GitHub.
func createEnvironments(expected doctor.Expected) string {
	var b strings.Builder
	b.WriteString("At GitHub, create the environments first: GitHub creates one that a workflow names without any protection, " +
		"and the roles trust it.\n" +
		"`deployer doctor` compares GitHub's settings with what the roles rely on, where gh is logged in.\n")
	for _, repository := range expected.Repositories {
		for _, command := range expected.Commands(repository) {
			b.WriteString("  " + strings.ReplaceAll(command, "\n", "\n  ") + "\n")
		}
	}
	return b.String()
}

// preview prints what would change.
func (o bootstrapOptions) preview(ctx context.Context, t *target.Target, shared *environment.Shared) error {
	handle, discard, err := o.stacks.HandleToPreview(ctx, t)
	if err != nil {
		return err
	}
	defer discard()
	plan, err := handle.Preview(ctx, engine.Update{Program: o.program(shared)}, nil)
	if err != nil {
		return err
	}
	if err := ui.Plan(o.terminal.out, plan, o.terminal.style()); err != nil {
		return err
	}
	return o.checkUnmanaged(ctx, t, shared)
}

func (o bootstrapOptions) program(shared *environment.Shared) pulumi.RunFunc {
	return infra.DeployShared(shared, o.targets.options.EndpointURL)
}

// checkUnmanaged returns an error where the account has resources that the shared stack would create: an account has one OIDC provider of
// GitHub, whose roles and repository have fixed names, and a second hosted zone would have other name servers.
func (o bootstrapOptions) checkUnmanaged(ctx context.Context, t *target.Target, shared *environment.Shared) error {
	progress := o.terminal.progress()
	defer progress.Close()
	var found []stack.Unmanaged
	err := progress.Step(ctx, "look", func(report func(string)) (_ string, err error) {
		found, err = o.stacks.FindUnmanaged(ctx, t, o.program(shared), report)
		return text.Plural(len(found), "resource", "resources") + " of the program found outside the stack", err
	})
	if err != nil || len(found) == 0 {
		return err
	}
	return unmanagedError(t, found)
}

// unmanagedError returns an error that lists resources outside the stack, with the command that imports them.
func unmanagedError(t *target.Target, found []stack.Unmanaged) error {
	var lines []string
	foreign := false
	for _, u := range found {
		line := fmt.Sprintf("  %s %s: %s", engine.ShortType(u.Type), u.Name, strings.Join(u.IDs, " or "))
		if u.Foreign {
			line, foreign = line+", whose tags name another stack", true
		}
		lines = append(lines, line)
	}
	advice := fmt.Sprintf("`deployer import --env %s --take` imports them, and changes none; then run bootstrap again", t.Stack)
	if foreign {
		advice = "remove those of another stack from it, or change their tags; then " + advice
	}
	return hint.With(fmt.Errorf("the account has already, outside the stack %s:\n%s", t.Stack, strings.Join(lines, "\n")), advice)
}

// ensureStateBucket creates the bucket and the key of the state and the records, and reports whether the engine can work with them.
func ensureStateBucket(ctx context.Context, t *target.Target, shared *environment.Shared, out io.Writer, dryRun bool) (ready bool, err error) {
	if t.State.Bucket == "" {
		return true, nil
	}
	store := statebackend.Backend{
		Bucket: t.State.Bucket, KeyAlias: environment.StateKeyAlias(shared.Prefix), Region: shared.Region, Tags: shared.Tags(),
	}
	found, err := store.Find(ctx, t.AWS)
	if err != nil {
		return false, err
	}
	if !dryRun {
		if err := store.Ensure(ctx, t.AWS); err != nil {
			return false, partialFailure{err}
		}
	}
	missing := false
	for _, d := range found {
		outcome := "was created"
		switch {
		case d.Exists:
			outcome = "exists"
		case dryRun:
			outcome, missing = "would be created, and the shared stack after it", true
		}
		_, _ = fmt.Fprintf(out, "%s %s\n", d.Name, outcome)
	}
	return !missing, nil
}

// A githubVariable is a variable of GitHub's that the workflows read.
type githubVariable struct {
	name string
	// environment is the GitHub environment that has a value of its own; "" is the whole repository.
	environment string
	value       any
}

// githubVariables returns what GitHub's workflows need to know about the shared stack.
func githubVariables(outputs map[string]engine.Output, shared *environment.Shared) []githubVariable {
	return []githubVariable{
		{name: "AWS_REGION", value: shared.Region},
		{name: "AWS_READ_ROLE_ARN", value: outputs["readRoleArn"].Value},
		{name: "AWS_DEPLOY_ROLE_ARN", value: outputs["deployRoleArn"].Value},
		{name: "AWS_DEPLOY_ROLE_ARN", environment: "production", value: outputs["productionDeployRoleArn"].Value},
	}
}

// printNextSteps prints what a person has to do next, at the registrar and at GitHub.
func (o bootstrapOptions) printNextSteps(outputs map[string]engine.Output, shared *environment.Shared, github string) error {
	var steps strings.Builder
	fmt.Fprintf(&steps, "The account %s is ready.\nAt the registrar of %s, set the name servers to:\n", shared.Account, shared.RootDomain)
	servers, _ := outputs["nameServers"].Value.([]any)
	for _, server := range servers {
		fmt.Fprintf(&steps, "  %v\n", server)
	}
	steps.WriteString(github)
	names := shared.GitHub.RepositoryNames()
	for _, repository := range names {
		fmt.Fprintf(&steps, "The variables of %s, whose environments exist then:\n", repository)
		for _, v := range githubVariables(outputs, shared) {
			where := ""
			if v.environment != "" {
				where = " --env " + v.environment
			}
			fmt.Fprintf(&steps, "  gh variable set %s --repo %s%s --body %v\n", v.name, repository, where, v.value)
		}
	}
	steps.WriteString("The roles trust workflows whose OIDC subject begins with:\n")
	for _, repository := range shared.GitHub.Repositories {
		fmt.Fprintf(&steps, "  repo:%s\n", repository)
	}
	steps.WriteString("They deploy each environment on its branch alone:\n")
	for _, name := range append(slices.Clone(shared.GitHub.Environments), "production") {
		if d, ok := shared.GitHub.Delivered(name); ok {
			fmt.Fprintf(&steps, "  %s on %s\n", name, d.Branch)
		}
	}
	fmt.Fprintf(&steps, "If GitHub prints another prefix, write it without \"repo:\" to github.repositories in Pulumi.%s.yaml, and run bootstrap again:\n",
		environment.SharedStack)
	for _, repository := range names {
		fmt.Fprintf(&steps, "  gh api repos/%s/actions/oidc/customization/sub --jq .sub_claim_prefix\n", repository)
	}
	o.terminal.printf("%s", steps.String())
	return nil
}
