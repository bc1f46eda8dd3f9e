package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/deployer/discovery"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/infra"
)

// rehearsal finds what an account has of a program, in an empty stack that nobody keeps. What is found becomes part of that stack,
// so that the next look knows more: a subnet is looked for once its VPC is known. In the end the engine itself says what the
// program would do to it.
type rehearsal struct {
	mender
	program pulumi.RunFunc
	// frame is what the stack needs before anything can be taken into it.
	frame []engine.PlannedResource
	// found is in the order in which it can be taken.
	found []engine.ImportCandidate
	// matches say by URN why something is a match, and of what is ambiguous what it may be.
	matches map[string]discovery.Match
	// strange are resources of another stack of this program.
	strange []engine.ImportCandidate
	// plan is what the first up would do.
	plan engine.Plan
}

func newRehearsal(m mender, program pulumi.RunFunc) *rehearsal {
	return &rehearsal{mender: m, program: program, matches: map[string]discovery.Match{}}
}

func (r *rehearsal) run(ctx context.Context, say func(string)) error {
	say("asking the program what it would create")
	plan, err := r.handle.Preview(ctx, engine.Update{Program: r.program}, nil)
	if err != nil {
		return err
	}
	r.frame = plan.NewParents
	if err := r.handle.AddParents(ctx, r.frame, nil); err != nil {
		return err
	}
	for {
		if r.plan, err = r.handle.Preview(ctx, engine.Update{Program: r.program}, nil); err != nil {
			return err
		}
		say(fmt.Sprintf("%d resources found, looking for %d", len(r.found), len(r.plan.NewResources)))
		fresh, err := r.search(ctx, r.plan.NewResources)
		if err != nil || len(fresh) == 0 {
			return err
		}
		settled, err := r.handle.Reconcile(ctx, fresh, false, acceptable)
		if err != nil {
			return err
		}
		r.found = append(r.found, settled.Imported...)
		r.strange = append(r.strange, settled.Foreign...)
		if len(settled.Imported) == 0 {
			return nil
		}
	}
}

// repeat does in a stack that is kept what was done in the rehearsal, at once, and returns how much of what was found the stack has
// then. The stack notes which image runs.
func (r *rehearsal) repeat(ctx context.Context, handle *engine.Handle, image string) (int, error) {
	outputs := map[string]any{}
	if image != "" {
		outputs[infra.OutputImage] = image
	}
	if err := handle.AddParents(ctx, r.frame, outputs); err != nil {
		return 0, err
	}
	if _, err := handle.Reconcile(ctx, r.found, false, acceptable); err != nil {
		return 0, err
	}
	state, err := handle.State(ctx)
	taken := 0
	for _, known := range state.Resources {
		if r.id(known.URN) != "" {
			taken++
		}
	}
	return taken, err
}

// acceptable reports whether something that was found may be taken: not what another stack of this program has.
func acceptable(f engine.ImportCandidate, outputs map[string]any) bool {
	tags, _ := outputs["tags"].(map[string]any)
	given, _ := f.Inputs["tags"].(map[string]any)
	return tags["ManagedBy"] == nil || tags["ManagedBy"] != given["ManagedBy"] || discovery.IsManaged(wanted(f.PlannedResource), outputs)
}

// search looks for what was not found before, several at once.
func (r *rehearsal) search(ctx context.Context, creations []engine.PlannedResource) ([]engine.ImportCandidate, error) {
	matches, failed := make([]discovery.Match, len(creations)), make([]error, len(creations))
	var running sync.WaitGroup
	free := make(chan struct{}, lookups)
	for i, c := range creations {
		if _, tried := r.matches[c.URN]; tried {
			continue
		}
		w := wanted(c)
		w.Parent = r.id(c.Parent)
		running.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			matches[i], failed[i] = discovery.FindCandidates(ctx, r.aws, r.account, w)
		})
	}
	running.Wait()
	var fresh []engine.ImportCandidate
	for i, c := range creations {
		if len(matches[i].IDs) > 0 {
			r.matches[c.URN] = matches[i]
		}
		if len(matches[i].IDs) == 1 {
			fresh = append(fresh, engine.ImportCandidate{PlannedResource: c, ID: matches[i].IDs[0]})
		}
	}
	return fresh, errors.Join(failed...)
}

// id is what was found under a URN; "" where nothing was.
func (r *rehearsal) id(urn string) string {
	if i := slices.IndexFunc(r.found, func(f engine.ImportCandidate) bool { return f.URN == urn }); i >= 0 {
		return r.found[i].ID
	}
	return ""
}

// report is what a person has to know before the import.
func (r *rehearsal) report(target importedStack) ui.ImportReport {
	report := ui.ImportReport{Environment: target.name}
	steps := map[string]engine.Step{}
	for _, step := range r.plan.Steps {
		steps[step.URN] = step
	}
	for _, f := range r.found {
		report.Found = append(report.Found, ui.ImportFound{
			ImportCandidate: f, MatchedBy: r.matches[f.URN].By, Step: steps[f.URN], Stateful: discovery.HoldsData(f.Type),
		})
	}
	for _, c := range r.plan.NewResources {
		match := r.matches[c.URN]
		absent := ui.ImportMissing{PlannedResource: c, Candidates: match.IDs, SkipReason: discovery.SkipReason(c.Type), Stateful: discovery.HoldsData(c.Type)}
		if len(match.IDs) < 2 {
			absent.Candidates = nil
		}
		if i := slices.IndexFunc(r.strange, func(f engine.ImportCandidate) bool { return f.URN == c.URN }); i >= 0 {
			absent.Foreign = r.strange[i].ID
		}
		report.Missing = append(report.Missing, absent)
	}
	slices.SortFunc(report.Found, func(a, b ui.ImportFound) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name)) })
	slices.SortFunc(report.Missing, func(a, b ui.ImportMissing) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	return report
}
