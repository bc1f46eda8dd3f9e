package engine

// Masked replaces a secret value.
const Masked = "[secret]"

// Unknown replaces a value that only the change determines.
const Unknown = "(known after the change)"

// Plan describes what a run would change, or for PreviewRefresh how the account differs from the state.
type Plan struct {
	// Steps are the changes, in the engine's order; resources that stay the same are only counted.
	Steps []Step
	// NewResources are the resources that would be created for the first time.
	NewResources []PlannedResource
	// NewParents are the stack, components and providers that the state lacks. They correspond to nothing in an account.
	NewParents []PlannedResource
	// Changes counts resources by operation, as in Summary.
	Changes map[string]int
	// Warnings are those of the engine and the providers.
	Warnings []string
}

// Empty reports whether there is nothing to do.
func (p Plan) Empty() bool { return len(p.Steps) == 0 }

// Step is the change of one resource.
type Step struct {
	// Op is create, update, delete, replace, read, import or another operation of the engine.
	Op              string
	URN, Type, Name string
	// ID is the provider's ID in the state; "" if the resource does not exist yet.
	ID string
	// Differences are the changed properties, sorted by path; empty for a create or delete.
	Differences []Difference
	// Replaces and Deletes mark the steps that delete something.
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
	// Replaces marks a property that requires the resource's replacement.
	Replaces bool
	// Old and New are the values before and after, nil if there is none; Masked if they are secret, Unknown if they are not
	// known yet.
	Old, New any
}
