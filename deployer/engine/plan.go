package engine

// Masked stands for a secret value.
const Masked = "[secret]"

// Unknown stands for a value that only the change itself brings.
const Unknown = "(known after the change)"

// Plan is what a run would do, or for PreviewRefresh how the account differs from the state.
type Plan struct {
	// Steps are the changes, in the engine's order; resources that stay the same are only counted.
	Steps []Step
	// NewResources are the resources that would be made for the first time.
	NewResources []PlannedResource
	// NewParents is the stack itself, its components and its providers, as far as the state does not have them. They stand for nothing
	// in an account.
	NewParents []PlannedResource
	// Changes counts resources by operation, as in Summary.
	Changes map[string]int
	// Warnings are what the engine and the providers warned of.
	Warnings []string
}

// Total is how many steps an Up after this Preview will have, for Update.Total.
func (p Plan) Total() int {
	n := 0
	for _, count := range p.Changes {
		n += count
	}
	return n
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Step is one resource's change.
type Step struct {
	// Op is create, update, delete, replace, read, import or another word of the engine's.
	Op              string
	URN, Type, Name string
	// ID is the provider's name for it, as the state has it; empty where it is not made yet.
	ID string
	// Differences are the changed properties, sorted by path; empty for a create or delete.
	Differences []Difference
	// Replaces and Deletes mark the steps by which something is lost.
	Replaces, Deletes bool
	// Protected resources cannot be deleted.
	Protected bool
}

// Difference is one property that changes.
type Difference struct {
	// Path is the property's, such as tags.Name or ingress[0].cidrBlocks.
	Path string
	// Kind is add, delete or update.
	Kind string
	// Replaces marks the property because of which the resource is replaced.
	Replaces bool
	// Old and New are the values before and after, nil where there is none; Masked where they are secret and Unknown
	// where they are not known yet.
	Old, New any
}
