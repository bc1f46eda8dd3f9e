package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/advice"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

// codeOnly is a stack of which nothing but task definitions and services is deployed.
type codeOnly struct{ *stack }

// openCode opens an environment's stack for code alone. Infrastructure must be there already, with the services that
// the environment's file names.
func (s settings) openCode(ctx context.Context, p *place, env *environment.Environment, refresh bool) (*codeOnly, error) {
	opened, err := s.openEnvironment(ctx, p, env, true)
	const full = "deploy it with a full `up` first: `up` without --code-only"
	if absent := (*engine.NoStackError)(nil); errors.As(err, &absent) {
		return nil, advice.With(fmt.Errorf("%s has never been deployed, so there is nothing to put code into", env.Name), full)
	}
	if err != nil {
		return nil, err
	}
	if opened.recorded == "" {
		return nil, advice.With(fmt.Errorf("no deployment of %s has come as far as its services, so there is nothing to put code into", env.Name), full)
	}
	if other := otherServices(env, opened.handle.Before()); len(other) > 0 {
		return nil, advice.With(fmt.Errorf("%s and the stack do not have the same services: %s", environment.FileName(env.Stack),
			strings.Join(other, ", ")), "services come and go with a full `up`: leave --code-only out")
	}
	opened.refresh = refresh
	return &codeOnly{opened}, nil
}

// otherServices says which services only the file or only the stack has.
func otherServices(env *environment.Environment, state engine.State) []string {
	var other, deployed []string
	for _, r := range state.Resources {
		if r.Type == infra.ServiceType {
			deployed = append(deployed, r.Name)
		}
	}
	for _, s := range env.Services.List() {
		role := string(s.Role)
		if !slices.Contains(deployed, role) {
			other = append(other, role+" is new")
		}
		deployed = slices.DeleteFunc(deployed, func(name string) bool { return name == role })
	}
	for _, name := range deployed {
		other = append(other, name+" is to go")
	}
	return other
}

// Provision implements release.Infrastructure: the migration is to run the new image, and nothing else changes.
func (c *codeOnly) Provision(ctx context.Context, image string, progress func(string)) (release.Update, error) {
	return c.up(ctx, engine.Update{
		Program: c.program(image, c.recorded), Message: "migrate with " + image, Targets: infra.MigrationURNs(),
	}, progress)
}

// Release implements release.Infrastructure.
func (c *codeOnly) Release(ctx context.Context, image string, progress func(string)) (release.Update, error) {
	return c.Code(ctx, image, progress)
}

// checkCodeOnly refuses flags that contradict each other.
func (u up) checkCodeOnly() error {
	switch {
	case u.restart && !u.codeOnly:
		return advice.With(errors.New("--restart changes nothing but tasks: it belongs to --code-only"), "`up --code-only --restart`")
	case u.restart && u.tag != "":
		return advice.With(errors.New("--restart starts the image that runs, and --image-tag names another"), "leave one of them out")
	case u.codeOnly && len(u.components) > 0:
		return advice.With(errors.New("--code-only and --component both say what is deployed"), "leave one of them out")
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
