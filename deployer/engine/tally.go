package engine

import (
	"sync"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/balancer/v3-backend-infra/internal/list"
)

// A tally counts the resources that a run is about: those of the state, those that the program declares, and those that the engine
// reports, such as the children that a provider declares for a component. A program declares its resources at once, before the
// engine creates the first of those that wait for others, so that their number is known early. What a run leaves out by its targets or
// excludes counts, too: the engine reports it as unchanged.
type tally struct {
	mu sync.Mutex
	// known are the URNs of the state and of the engine's reports.
	known map[string]bool
	// byName counts the known, and declared the declared resources by type and name: a program does not know the URNs, in which the types
	// of the parents precede the own one.
	byName, declared map[typeName]int
	// ignored are the URNs that do not count.
	ignored map[string]bool
}

type typeName struct{ typ, name string }

func newTally(state []Resource) *tally {
	t := &tally{known: map[string]bool{}, byName: map[typeName]int{}, declared: map[typeName]int{}}
	for _, r := range state {
		if isProgramType(r.Type) {
			t.add(r.URN)
		}
	}
	return t
}

// newDestroyTally returns the tally of a destroy, which counts only what is deleted in the account.
func newDestroyTally(state []Resource) *tally {
	t := newTally(list.Filter(state, Resource.Deletable))
	t.ignored = map[string]bool{}
	for _, r := range state {
		t.ignored[r.URN] = !r.Deletable() && !t.known[r.URN]
	}
	return t
}

// total returns the number of resources.
func (t *tally) total() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	total := len(t.known)
	for key, count := range t.declared {
		total += max(0, count-t.byName[key])
	}
	return total
}

// add adds a resource that exists or is reported, once.
func (t *tally) add(urn string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.known[urn] && !t.ignored[urn] {
		t.known[urn] = true
		u := resource.URN(urn)
		t.byName[typeName{string(u.Type()), u.Name()}]++
	}
}

// watch returns a program that adds the resources that it declares.
func (t *tally) watch(program pulumi.RunFunc) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		err := ctx.RegisterStackTransformation(func(r *pulumi.ResourceTransformationArgs) *pulumi.ResourceTransformationResult {
			if isProgramType(r.Type) {
				t.mu.Lock()
				defer t.mu.Unlock()
				t.declared[typeName{r.Type, r.Name}]++
			}
			return nil
		})
		if err != nil {
			return err
		}
		return program(ctx)
	}
}
