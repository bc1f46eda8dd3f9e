package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

// servicesComponent is the component that the rollout deploys.
const servicesComponent = "services"

// certificateComponent is the one that waits for the internet to know the zone.
const certificateComponent = "certificate"

// tolerated returns the checks of preflight that only warn: where no certificate has to be validated, a zone that is not
// delegated stops nothing, unless its delegation is to be waited for.
func (u up) tolerated() []string {
	if u.restart {
		return []string{release.Migration} // the image stays the same
	}
	if len(u.components) == 0 || slices.Contains(u.components, certificateComponent) || u.waitDelegation {
		return nil
	}
	return []string{release.Delegation}
}

// partial is a stack of which only some components are deployed.
type partial struct {
	*stack
	components []string
}

// componentNames are what --component takes.
func componentNames() []string {
	var names []string
	for _, c := range infra.Components() {
		names = append(names, c.Name)
	}
	return names
}

// others returns globs of the resources of all components but those that are named.
func others(components []string) []string {
	var urns []string
	for _, c := range infra.Components() {
		if !slices.Contains(components, c.Name) {
			urns = append(urns, c.URNs...)
		}
	}
	return urns
}

// Provision implements release.Infrastructure.
func (p partial) Provision(ctx context.Context, image string, progress func(string)) (release.Update, error) {
	first := slices.DeleteFunc(slices.Clone(p.components), func(name string) bool { return name == servicesComponent })
	p.deployed = p.deployed.WithInfrastructure(p.env, infra.SectionCopiers(func(name string) bool { return slices.Contains(first, name) })...)
	if code := p.deployed.Code(); slices.Contains(first, string(environment.Migration)) {
		code.Tasks[environment.Migration] = p.env.Code().Tasks[environment.Migration]
		p.deployed = p.deployed.WithCode(code)
	}
	return p.up(ctx, engine.Update{
		Program: p.program(image, p.recorded), Message: "provision components with " + image, Excludes: others(first),
	}, progress)
}

// Release implements release.Infrastructure. What the services needed until now is deleted here, too.
func (p partial) Release(ctx context.Context, image string, progress func(string)) (release.Update, error) {
	code := p.env.Code()
	code.Tasks[environment.Migration] = p.deployed.Code().Tasks[environment.Migration]
	p.deployed = p.deployed.WithInfrastructure(p.env, infra.SectionCopiers(func(name string) bool { return slices.Contains(p.components, name) })...).WithCode(code)
	done, err := p.up(ctx, engine.Update{
		Program: p.program(image, image), Message: "release components with " + image, Excludes: others(p.components),
	}, progress)
	if err == nil {
		p.recorded = image
	}
	return done, err
}

// Repair implements release.Infrastructure. What has to come along is known only after it.
func (p partial) Repair(ctx context.Context, image string, progress func(string)) ([]string, error) {
	done, err := p.stack.Repair(ctx, image, progress)
	if err == nil {
		if err = p.check(ctx); err != nil {
			err = release.NotStarted("components", err)
		}
	}
	return done, err
}

// check returns an error where the components cannot be deployed with the rest of the stack left as it is. It changes
// nothing.
func (p partial) check(ctx context.Context) error {
	image := cmp.Or(p.recorded, p.env.ImageReference("sha256:"+emptyDigest))
	program := p.program(image, image)
	plan, err := p.handle.Preview(ctx, engine.Update{Program: program}, nil)
	if err != nil {
		return err
	}
	all := append(slices.Clone(p.components), missingComponents(p.components, plan.Steps, p.handle.Current().Resources)...)
	for known := 0; known < len(all); {
		known = len(all)
		// What the components need and the stack does not have yet, the engine knows, one step at a time.
		missing, err := p.handle.MissingTargets(ctx, engine.Update{Program: program, Targets: targets(all)})
		if err != nil {
			return err
		}
		for _, urn := range missing {
			if name := infra.ComponentOf(urn); !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	along := slices.Sorted(slices.Values(all[len(p.components):]))
	if len(along) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("%s cannot be deployed alone: what %s needs changes, too", strings.Join(p.components, ", "), strings.Join(along, ", ")),
		"deploy them together: --component "+strings.Join(slices.Concat(p.components, along), ",")+", or everything with a full `up`")
}

// missingComponents returns the components that have to be deployed with the given ones. Where a resource of theirs is
// replaced, what depends on it has to follow: its properties name the old one, and the engine deletes it first where the
// new one cannot exist beside the old one.
func missingComponents(components []string, steps []engine.Step, resources []engine.Resource) []string {
	chosen, ops := slices.Clone(components), map[string]string{}
	for _, s := range steps {
		ops[s.URN] = s.Op
	}
	for found := true; found; {
		found = false
		for _, r := range resources {
			name := infra.ComponentOf(r.URN)
			if name == "" || ops[r.URN] == "" || slices.Contains(chosen, name) {
				continue
			}
			if slices.ContainsFunc(r.Dependencies, func(urn string) bool {
				return ops[urn] == "replace" && slices.Contains(chosen, infra.ComponentOf(urn))
			}) {
				chosen, found = append(chosen, name), true
			}
		}
	}
	return chosen[len(components):]
}

// targets returns globs of the resources of components.
func targets(components []string) []string {
	var urns []string
	for _, c := range infra.Components() {
		if slices.Contains(components, c.Name) {
			urns = append(urns, c.URNs...)
		}
	}
	return urns
}
