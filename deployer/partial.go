package main

import (
	"context"
	"slices"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

// servicesComponent is the component that the rollout deploys.
const servicesComponent = "services"

// certificateComponent is the one that waits for the internet to know the zone.
const certificateComponent = "certificate"

// tolerated are the checks of preflight that only warn: where no certificate has to be validated, a zone that is not
// delegated stops nothing, unless its delegation is to be waited for.
func (u up) tolerated() []string {
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

// sections returns what copies the sections of a description that the components are made from.
func sections(of func(component string) bool) []func(to, from *environment.Environment) {
	var copies []func(to, from *environment.Environment)
	for _, c := range infra.Components() {
		if of(c.Name) {
			copies = append(copies, c.Describe)
		}
	}
	return copies
}

// urns are the resources of the components that want says.
func (p partial) urns(want func(name string) bool) []string {
	var urns []string
	for _, c := range infra.Components() {
		if slices.Contains(p.components, c.Name) && want(c.Name) {
			urns = append(urns, c.URNs...)
		}
	}
	return urns
}

// Provision implements release.Infrastructure.
func (p partial) Provision(ctx context.Context, image string, progress func(string)) (release.Update, error) {
	p.deployed = p.deployed.WithInfrastructure(p.env, sections(func(name string) bool { return name != servicesComponent && slices.Contains(p.components, name) })...)
	return p.up(ctx, engine.Update{
		Program: p.program(image, p.recorded), Message: "provision components with " + image,
		Targets: p.urns(func(name string) bool { return name != servicesComponent }),
	}, progress)
}

// Release implements release.Infrastructure.
func (p partial) Release(ctx context.Context, image string, progress func(string)) (release.Update, error) {
	p.deployed = p.deployed.WithInfrastructure(p.env, sections(func(name string) bool { return name == servicesComponent })...).WithCode(p.env.Code())
	return p.up(ctx, engine.Update{
		Program: p.program(image, image), Message: "release components with " + image,
		Targets: p.urns(func(name string) bool { return name == servicesComponent }),
	}, progress)
}
