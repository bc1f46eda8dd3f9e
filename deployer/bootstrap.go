package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/statebackend"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

func bootstrapVerb() verb {
	return verb{
		name: "bootstrap", usage: "once an account: bring up what its environments share",
		about: `Makes the bucket and the KMS key of the Pulumi state and of the records (not in local mode, and not where
PULUMI_BACKEND_URL names a directory or another bucket of S3), then brings up the stack "shared" from Pulumi.shared.yaml: the hosted zone, the image repository,
GitHub's OIDC provider and roles. Says what exists and makes what is missing; running it again is safe.`,
		examples: []string{"deployer bootstrap", "deployer bootstrap --dry-run", "deployer bootstrap --local"},
		flags:    []cli.Flag{&cli.BoolFlag{Name: "dry-run", Usage: "say what would change, and change nothing"}},
		run: func(ctx context.Context, s settings, c *cli.Context) error {
			return bootstrap{settings: s, dryRun: c.Bool("dry-run")}.run(ctx)
		},
	}
}

// bootstrap brings up the shared stack.
type bootstrap struct {
	settings
	dryRun bool
}

func (b bootstrap) run(ctx context.Context) error {
	b.name = environment.SharedStack
	if err := b.checkRegion(); err != nil {
		return err
	}
	shared, err := b.shared()
	if err != nil {
		return err
	}
	p, err := b.open(ctx, accountOfShared(shared))
	if err != nil {
		return err
	}
	defer b.leave(p)
	if err := p.verify(ctx, shared.Account, environment.SharedStack); err != nil {
		return err
	}
	if ready, err := b.stateStore(ctx, p, shared); err != nil || !ready {
		return err
	}
	if b.dryRun {
		return b.preview(ctx, p, shared)
	}
	held, err := b.acquire(ctx, p, b.holder(environment.SharedStack, environment.SharedStack, "bootstrap"), b.wait)
	if err != nil {
		return err
	}
	return held.Run(ctx, func(ctx context.Context) error { return b.bringUp(ctx, p, shared, held) })
}

// bringUp brings the shared stack up under its lock.
func (b bootstrap) bringUp(ctx context.Context, p *place, shared *environment.Shared, held *lock.Held) error {
	handle, err := b.openStack(ctx, p, environment.SharedStack, false)
	if err != nil {
		return err
	}
	if err := b.share(ctx, p, mender{handle, p.aws, shared.Account, held}, shared); err != nil {
		return err
	}
	return b.tell(handle.Outputs(), shared)
}

// preview says what would change.
func (b bootstrap) preview(ctx context.Context, p *place, shared *environment.Shared) error {
	handle, forget, err := b.openToPreview(ctx, p, environment.SharedStack)
	if err != nil {
		return err
	}
	defer forget()
	plan, err := handle.Preview(ctx, engine.Update{Program: infra.DeployShared(shared, b.endpointURL)}, nil)
	if err != nil {
		return err
	}
	return ui.Plan(b.out, plan, b.style())
}

// stateStore makes where the state and the records lie, and reports whether Pulumi can work with it.
func (b bootstrap) stateStore(ctx context.Context, p *place, shared *environment.Shared) (ready bool, err error) {
	if p.state.bucket == "" {
		return true, nil
	}
	store := statebackend.Backend{
		Bucket: p.state.bucket, KeyAlias: environment.StateKeyAlias(shared.Prefix), Region: shared.Region, Tags: shared.Tags(),
	}
	found, err := store.Find(ctx, p.aws)
	if err != nil {
		return false, err
	}
	if !b.dryRun {
		if err := store.Ensure(ctx, p.aws); err != nil {
			return false, failure{err}
		}
	}
	missing := false
	for _, d := range found {
		what := "was made"
		switch {
		case d.Exists:
			what = "exists"
		case b.dryRun:
			what, missing = "would be made, and the shared stack after it", true
		}
		_, _ = fmt.Fprintf(b.out, "%s %s\n", d.Name, what)
	}
	return !missing, nil
}

// share brings the shared stack up and records how that went: its zone alone does not say whether all of it is there.
func (s settings) share(ctx context.Context, p *place, m mender, shared *environment.Shared) error {
	now := p.clock.Now()
	did := history.Deployment{
		ID: newID(now), Environment: environment.SharedStack, Stack: environment.SharedStack, Kind: history.Shared, By: whoami(),
		Started: now, Outcome: history.Running,
	}
	s.warn(p.records.Save(ctx, did))
	err := s.bringUpShared(ctx, m, shared)
	did.Ended, did.Outcome = p.clock.Now(), history.Succeeded
	switch {
	case err != nil && ctx.Err() != nil:
		did.Outcome = history.Interrupted
	case err != nil:
		did.Outcome = history.Failed
	}
	s.warn(p.records.Save(context.WithoutCancel(ctx), did))
	return err
}

// bringUpShared brings the shared stack up, after putting right what a killed deployer left of it. Its error is a failure where
// something was tried.
func (s settings) bringUpShared(ctx context.Context, m mender, shared *environment.Shared) error {
	progress := ui.NewProgress(s.err, s.progressOptions())
	defer progress.Close()
	program := infra.DeployShared(shared, s.endpointURL)
	if m.needed() {
		if err := m.step(ctx, progress, program); err != nil {
			return err
		}
	}
	return tried(progress.Step("shared", func(say func(string)) (string, error) {
		var done engine.Summary
		told, err := m.unlocking(ctx, func() (err error) {
			done, err = m.handle.Up(ctx, engine.Update{Program: program, Message: "bootstrap"}, func(e engine.Event) { tellEvent(e, say) })
			return m.orphaned(ctx, err)
		})
		for _, what := range told {
			say(what)
		}
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%d resources changed", done.Changed()), nil
	}))
}

// githubVariable is a variable of GitHub's that the workflows read.
type githubVariable struct {
	name string
	// environment is the GitHub environment that has a value of its own; "" is the whole repository.
	environment string
	value       any
}

// variablesOf is what GitHub's workflows need to know of the shared stack.
func variablesOf(outputs map[string]engine.Output, shared *environment.Shared) []githubVariable {
	return []githubVariable{
		{name: "AWS_REGION", value: shared.Region},
		{name: "AWS_READ_ROLE_ARN", value: outputs["readRoleArn"].Value},
		{name: "AWS_DEPLOY_ROLE_ARN", value: outputs["deployRoleArn"].Value},
		{name: "AWS_DEPLOY_ROLE_ARN", environment: "production", value: outputs["productionDeployRoleArn"].Value},
	}
}

// tell prints what a person has to do next: at the registrar, and at GitHub.
func (b bootstrap) tell(outputs map[string]engine.Output, shared *environment.Shared) error {
	var text strings.Builder
	fmt.Fprintf(&text, "The account %s is ready.\nAt the registrar of %s, set the name servers to:\n", shared.Account, shared.RootDomain)
	servers, _ := outputs["nameServers"].Value.([]any)
	for _, server := range servers {
		fmt.Fprintf(&text, "  %v\n", server)
	}
	for _, repository := range shared.GitHub.Repositories {
		fmt.Fprintf(&text, "At GitHub, once the environments of %s are made:\n", repository)
		for _, v := range variablesOf(outputs, shared) {
			where := ""
			if v.environment != "" {
				where = " --env " + v.environment
			}
			fmt.Fprintf(&text, "  gh variable set %s --repo %s%s --body %v\n", v.name, repository, where, v.value)
		}
	}
	_, err := io.WriteString(b.out, text.String())
	return err
}

// shareLocally brings the shared stack up in the simulated account, where it is missing: there is nobody to ask.
func (s settings) shareLocally(ctx context.Context, p *place) error {
	shared, err := s.missingShared(ctx, p)
	if shared == nil || err != nil {
		return err
	}
	// Deployments of other environments may be about the same; the first makes it for all.
	held, err := s.acquire(ctx, p, s.holder(environment.SharedStack, environment.SharedStack, "bootstrap"), true)
	if err != nil {
		return err
	}
	return held.Run(ctx, func(ctx context.Context) error {
		if shared, err = s.missingShared(ctx, p); shared == nil || err != nil {
			return err
		}
		handle, err := s.openStack(ctx, p, environment.SharedStack, false)
		if err != nil {
			return err
		}
		return s.share(ctx, p, mender{handle, p.aws, shared.Account, held}, shared)
	})
}

// missingShared is what the environments of the account would share, where that is not there or whoever made it did not come to the
// end of it; otherwise nil.
func (s settings) missingShared(ctx context.Context, p *place) (*environment.Shared, error) {
	shared, err := s.shared()
	if err != nil {
		return nil, err
	}
	standing, err := p.locks.Get(ctx, environment.SharedStack)
	if err != nil {
		return nil, err
	}
	if standing != nil && standing.State == lock.StateExpired {
		return shared, nil
	}
	_, err = release.FindZone(ctx, route53.NewFromConfig(p.aws), shared.RootDomain)
	if errors.Is(err, release.ErrNoZone) {
		return shared, nil
	}
	if err != nil {
		return nil, err
	}
	last, err := p.records.List(ctx, environment.SharedStack, 1)
	if len(last) > 0 && last[0].Outcome != history.Succeeded {
		return shared, err
	}
	return nil, err
}

func (s settings) shared() (*environment.Shared, error) {
	shared, err := environment.LoadShared(s.dir)
	if err != nil {
		return nil, err
	}
	if s.region != "" {
		shared.Region = s.region
	}
	return shared, nil
}

func accountOfShared(s *environment.Shared) account {
	return account{prefix: s.Prefix, id: s.Account, region: s.Region}
}
