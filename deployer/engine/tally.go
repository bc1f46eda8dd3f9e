package engine

import (
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// A tally counts the resources that a run is about: those of the state, those that the program declares, and those that the engine
// reports, such as the children that a provider declares for a component. A program declares its resources at once, before the
// engine creates the first of those that wait for others, so that their number is known early. What a run leaves out by its targets or
// excludes counts, too: the engine reports it as unchanged.
type tally struct {
	mu   sync.Mutex
	urns map[string]bool
	// types are the qualified types of the declared resources: their own after those of their parents.
	types map[pulumi.Resource]string
}

func newTally(state []Resource) *tally {
	t := &tally{urns: map[string]bool{}, types: map[pulumi.Resource]string{}}
	for _, r := range state {
		if isProgramType(r.Type) {
			t.add(r.URN)
		}
	}
	return t
}

// total returns the number of resources.
func (t *tally) total() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.urns)
}

// add adds a resource, once.
func (t *tally) add(urn string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.urns[urn] = true
}

// declared adds the resources that a program declares.
func (t *tally) declared(program pulumi.RunFunc) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		prefix := "urn:pulumi:" + ctx.Stack() + "::" + ctx.Project() + "::"
		err := ctx.RegisterStackTransformation(func(r *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			if qualified := t.qualify(r); isProgramType(r.Type) {
				t.add(prefix + qualified + "::" + r.Name)
			}
			return nil
		})
		if err != nil {
			return err
		}
		return program(ctx)
	}
}

// qualify returns the qualified type of a resource, and remembers it for its children.
func (t *tally) qualify(r *pulumi.ResourceTransformationArgs) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	qualified := r.Type
	if options, err := pulumi.NewResourceOptions(r.Opts...); err == nil && options.Parent != nil && t.types[options.Parent] != "" {
		qualified = t.types[options.Parent] + "$" + r.Type
	}
	t.types[r.Resource] = qualified
	return qualified
}
