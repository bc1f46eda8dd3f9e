package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

// ServicesComponent is the component that the rollout deploys, CertificateComponent the one that waits until the internet knows
// the hosted zone, DatabaseComponent the one with the instance, NetworkComponent the one with the VPC.
const (
	ServicesComponent    = "services"
	DatabaseComponent    = "database"
	NetworkComponent     = "network"
	CertificateComponent = "certificate"
	budgetComponent      = "budget"
)

// ComponentNames returns the names that --component takes.
func ComponentNames() []string {
	var names []string
	for _, c := range infra.Components() {
		names = append(names, c.Name)
	}
	return names
}

// components returns the components of the scope.
func (s *Stack) components() []string {
	if s.scope.Components == nil {
		return ComponentNames()
	}
	return slices.Clone(s.scope.Components)
}

// describeComponents notes that components are deployed as the environment's file describes them.
func (s *Stack) describeComponents(names []string) {
	s.deployed = s.deployed.WithInfrastructure(s.env, infra.SectionCopiers(func(name string) bool { return slices.Contains(names, name) })...)
	if slices.Contains(names, string(environment.Migration)) {
		code := s.deployed.Code()
		code.Tasks[environment.Migration] = s.env.Code().Tasks[environment.Migration]
		s.deployed = s.deployed.WithCode(code)
	}
}

// urnsOf returns patterns of the resources of components.
func urnsOf(components []string) []string {
	var urns []string
	for _, c := range infra.Components() {
		if slices.Contains(components, c.Name) {
			urns = append(urns, c.URNs...)
		}
	}
	return urns
}

// urnsOfOthers returns patterns of the resources of all other components.
func urnsOfOthers(components []string) []string {
	return urnsOf(slices.DeleteFunc(ComponentNames(), func(name string) bool { return slices.Contains(components, name) }))
}

// checkComponents returns an error where the components of the scope cannot be deployed while the rest of the stack does not
// change. It changes nothing.
func (s *Stack) checkComponents(ctx context.Context) error {
	chosen, image := s.scope.Components, s.ImageOrPlaceholder()
	program := s.program(image, image)
	plan, err := s.handle.Preview(ctx, engine.Update{Program: program}, nil)
	if err != nil {
		return err
	}
	all := append(slices.Clone(chosen), missingComponents(chosen, plan.Steps, s.handle.Current().Resources)...)
	for known := 0; known < len(all); {
		known = len(all)
		// What the components need and the stack does not have yet, the engine reports one step at a time.
		missing, err := s.handle.MissingTargets(ctx, engine.Update{Program: program, Targets: urnsOf(all)})
		if err != nil {
			return err
		}
		for _, urn := range missing {
			if name := infra.ComponentOf(urn); !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	required := slices.Sorted(slices.Values(all[len(chosen):]))
	if len(required) == 0 {
		return nil
	}
	return hint.With(fmt.Errorf("%s cannot be deployed alone: what %s needs changes, too", strings.Join(chosen, ", "), strings.Join(required, ", ")),
		"deploy them together: --component "+strings.Join(slices.Concat(chosen, required), ",")+", or everything without --component")
}

// missingComponents returns the components that have to be deployed with the given ones. Where a resource of theirs is
// replaced, its dependents have to follow: their properties name the old one, and the engine deletes it first where the
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
