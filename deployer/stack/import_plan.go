package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"golang.org/x/sync/errgroup"

	"github.com/balancer/v3-backend-infra/deployer/discovery"
	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/infra"
	"github.com/balancer/v3-backend-infra/internal/list"
)

// An ImportPlan is what an account has of a program. It is found in an empty stack that is deleted afterwards: what is found
// becomes part of that stack, so that the next search knows more: a subnet is looked for once its VPC is known. In the end the
// engine itself reports what the program would change.
type ImportPlan struct {
	handle  *engine.Handle
	target  *target.Target
	program pulumi.RunFunc
	// parents are the components that the stack needs before anything can be imported into it.
	parents []engine.PlannedResource

	// Found is in the order in which it can be imported.
	Found []engine.ImportCandidate
	// Matches has by URN why a resource is a match, and the candidates where that is ambiguous.
	Matches map[string]discovery.Match
	// Foreign are resources of another stack of this program.
	Foreign []engine.ImportCandidate
	// Plan is what the first `up` would do.
	Plan engine.Plan
}

// PlanImport searches the account for everything that the program would create. Handle is that of an empty stack.
func PlanImport(ctx context.Context, handle *engine.Handle, t *target.Target, program pulumi.RunFunc, report func(string)) (*ImportPlan, error) {
	p := &ImportPlan{handle: handle, target: t, program: program, Matches: map[string]discovery.Match{}}
	report("previewing what the program would create")
	plan, err := handle.Preview(ctx, engine.Update{Program: program}, nil)
	if err != nil {
		return p, err
	}
	p.parents = plan.NewParents
	if err := handle.AddParents(ctx, p.parents, nil); err != nil {
		return p, err
	}
	for {
		if p.Plan, err = handle.Preview(ctx, engine.Update{Program: program}, nil); err != nil {
			return p, err
		}
		report(fmt.Sprintf("%d resources found, looking for %d", len(p.Found), len(p.Plan.NewResources)))
		fresh, err := p.search(ctx, p.Plan.NewResources)
		if err != nil || len(fresh) == 0 {
			return p, err
		}
		imported, err := handle.Reconcile(ctx, fresh, false, importable)
		if err != nil {
			return p, err
		}
		p.Found = append(p.Found, imported.Imported...)
		p.Foreign = append(p.Foreign, imported.Foreign...)
		if len(imported.Imported) == 0 {
			return p, nil
		}
	}
}

// An Unmanaged resource exists in the account and not in the stack, although the program would create it.
type Unmanaged struct {
	Type, Name string
	// IDs are what it can be imported by; several are ambiguous.
	IDs []string
	// Foreign marks a resource whose tags name another stack of this program; it cannot be imported.
	Foreign bool
}

// FindUnmanaged returns what another create would duplicate or be rejected for. It changes nothing, and returns nothing where an earlier
// deployment was killed, whose recovery imports what that created.
func (o *Opener) FindUnmanaged(ctx context.Context, t *target.Target, program pulumi.RunFunc, report func(string)) ([]Unmanaged, error) {
	handle, discard, err := o.HandleToPreview(ctx, t)
	if err != nil {
		return nil, err
	}
	defer discard()
	if t.Held != nil && (recoverer{handle, t}).required() {
		return nil, nil
	}
	report("previewing what the program would create")
	plan, err := handle.Preview(ctx, engine.Update{Program: program}, nil)
	if err != nil {
		return nil, err
	}
	creates := list.Filter(plan.Steps, func(s engine.Step) bool { return s.Op == "create" && discovery.Conflicts(s.Type) })
	if len(creates) == 0 {
		return nil, nil
	}
	empty, discardEmpty, err := o.EphemeralHandle(ctx, t)
	if err != nil {
		return nil, err
	}
	defer discardEmpty()
	found, err := PlanImport(ctx, empty, t, program, report)
	if err != nil {
		return nil, err
	}
	var all []Unmanaged
	for _, s := range creates {
		foreign := slices.ContainsFunc(found.Foreign, func(f engine.ImportCandidate) bool { return f.URN == s.URN })
		if ids := found.Matches[s.URN].IDs; found.id(s.URN) != "" || foreign || len(ids) > 1 {
			all = append(all, Unmanaged{s.Type, s.Name, ids, foreign})
		}
	}
	return all, nil
}

// Import imports what was found into a stack that is kept, with the image that runs, and returns how many resources the stack
// has of it then.
func (o *Opener) Import(ctx context.Context, t *target.Target, p *ImportPlan, image string, progress Progress) (imported int, err error) {
	defer o.PrintKey(t)
	handle, err := o.Handle(ctx, t, Create)
	if err != nil {
		return 0, err
	}
	recovery := recoverer{handle, t}
	err = progress.Step(ctx, "take", func(report func(string)) (string, error) {
		report(fmt.Sprintf("reading %d resources", len(p.Found)))
		err := recovery.run(ctx, report, func() (err error) {
			imported, err = p.apply(ctx, handle, image)
			return err
		})
		return fmt.Sprintf("%d resources imported", imported), err
	})
	return imported, err
}

// apply repeats in another stack what was done in the empty one.
func (p *ImportPlan) apply(ctx context.Context, handle *engine.Handle, image string) (int, error) {
	outputs := map[string]any{}
	if image != "" {
		outputs[infra.OutputImage] = image
	}
	if err := handle.AddParents(ctx, p.parents, outputs); err != nil {
		return 0, err
	}
	if _, err := handle.Reconcile(ctx, p.Found, false, importable); err != nil {
		return 0, err
	}
	state, err := handle.State(ctx)
	imported := 0
	for _, known := range state.Resources {
		if p.id(known.URN) != "" {
			imported++
		}
	}
	return imported, err
}

// File returns what was found in the form of `pulumi import --file`, without what the state has already.
func (p *ImportPlan) File(state engine.State) engine.ImportFile {
	return engine.NewImportFile(p.parents, p.Found, state)
}

// importable reports whether a resource may be imported: not one of another stack of this program.
func importable(f engine.ImportCandidate, outputs map[string]any) bool {
	tags, _ := outputs["tags"].(map[string]any)
	given, _ := f.Inputs["tags"].(map[string]any)
	return tags["ManagedBy"] == nil || tags["ManagedBy"] != given["ManagedBy"] || discovery.IsManaged(query(f.PlannedResource), outputs)
}

// search looks for what was not found before.
func (p *ImportPlan) search(ctx context.Context, creations []engine.PlannedResource) ([]engine.ImportCandidate, error) {
	matches, failed := make([]discovery.Match, len(creations)), make([]error, len(creations))
	lookups := errgroup.Group{}
	lookups.SetLimit(maxLookups)
	for i, c := range creations {
		if _, searched := p.Matches[c.URN]; searched {
			continue
		}
		q := query(c)
		q.Parent, q.Namesake = p.id(c.Parent), p.namesake(c)
		lookups.Go(func() error {
			matches[i], failed[i] = discovery.FindCandidates(ctx, p.target.AWS, p.target.AccountID, q)
			return nil // every failure is reported, not only the first
		})
	}
	_ = lookups.Wait()
	var fresh []engine.ImportCandidate
	for i, c := range creations {
		if len(matches[i].IDs) > 0 {
			p.Matches[c.URN] = matches[i]
		}
		if len(matches[i].IDs) == 1 {
			fresh = append(fresh, engine.ImportCandidate{PlannedResource: c, ID: matches[i].IDs[0]})
		}
	}
	return fresh, errors.Join(failed...)
}

// namesake returns the ID of what was found with the name and parent of a resource, and another type; "" where nothing was.
func (p *ImportPlan) namesake(c engine.PlannedResource) string {
	f := list.Find(p.Found, func(f engine.ImportCandidate) bool {
		return f.Name == c.Name && f.Parent == c.Parent && f.Type != c.Type
	})
	if f == nil {
		return ""
	}
	return f.ID
}

// id returns the ID of what was found under a URN; "" where nothing was.
func (p *ImportPlan) id(urn string) string {
	if i := slices.IndexFunc(p.Found, func(f engine.ImportCandidate) bool { return f.URN == urn }); i >= 0 {
		return p.Found[i].ID
	}
	return ""
}
