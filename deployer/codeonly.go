package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
)

// A codeOnly is a stack of which nothing but task definitions and services is deployed, with a code.
type codeOnly struct {
	*stack
	code environment.Code
}

// openCode opens an environment's stack for code alone. Infrastructure must be there already; which services it has, and
// whether its file says something else by now, does not matter.
func (s settings) openCode(ctx context.Context, p *place, env *environment.Environment, refresh bool) (*codeOnly, error) {
	opened, err := s.openEnvironment(ctx, p, env, true)
	const full = "deploy it with a full `up` first: `up` without --code-only"
	if absent := (*engine.NoStackError)(nil); errors.As(err, &absent) {
		return nil, hint.With(fmt.Errorf("%s has never been deployed, so there is nothing to put code into", env.Name), full)
	}
	if err != nil {
		return nil, err
	}
	if opened.recorded == "" {
		return nil, hint.With(fmt.Errorf("no deployment of %s has come as far as its services, so there is nothing to put code into", env.Name), full)
	}
	opened.refresh = refresh
	return &codeOnly{stack: opened, code: env.Code()}, nil
}

// Provision implements release.Infrastructure: the migration is to run the new image, and nothing else changes.
func (c *codeOnly) Provision(ctx context.Context, image string, progress func(string)) (release.Update, error) {
	return c.recode(ctx, recoding{image: image, code: c.code, migrationOnly: true, message: "migrate with " + image}, progress)
}

// Repair implements release.Infrastructure. Where the infra program cannot be previewed with the current file, what an earlier
// deployment left stays for the next full one: that is no reason not to deploy code.
func (c *codeOnly) Repair(ctx context.Context, image string, progress func(string)) ([]string, error) {
	done, err := c.stack.Repair(ctx, image, progress)
	if unplanned := (*planError)(nil); errors.As(err, &unplanned) {
		return []string{"what the deployment before left is looked up by the next full `up`: " + err.Error()}, nil
	}
	return done, err
}

// Release implements release.Infrastructure.
func (c *codeOnly) Release(ctx context.Context, image string, progress func(string)) (release.Update, error) {
	return c.DeployCode(ctx, image, &c.code, progress)
}

// checkCodeOnly refuses flags that contradict each other.
func (u up) checkCodeOnly() error {
	switch {
	case u.restart && !u.codeOnly:
		return hint.With(errors.New("--restart changes nothing but tasks: it belongs to --code-only"), "`up --code-only --restart`")
	case u.restart && u.tag != "":
		return hint.With(errors.New("--restart starts the image that runs, and --image-tag names another"), "leave one of them out")
	case u.codeOnly && len(u.components) > 0:
		return hint.With(errors.New("--code-only and --component both say what is deployed"), "leave one of them out")
	}
	return nil
}

// withoutInfrastructure are the phases that code alone does not need.
func (u up) withoutInfrastructure(env *environment.Environment) map[string]string {
	if u.restart {
		const same = "the image stays the same"
		return map[string]string{release.Backup: same, release.Provision: same, release.Migrate: same}
	}
	if env.Deployment.Migrations.Order != environment.BeforeServices || slices.Contains(u.skip, release.Migrate) {
		return map[string]string{release.Provision: "no migration comes before the services"}
	}
	return map[string]string{}
}
