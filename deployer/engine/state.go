package engine

import "time"

// State is what the backend knows of a stack.
type State struct {
	// Updated is when the state was last written; zero where the stack was never brought up.
	Updated time.Time
	// Resources are all of the state's, the stack itself and providers included.
	Resources []Resource
	// Pending are the operations that an earlier run started and did not see the end of.
	Pending []Pending
	// Outputs are the stack's.
	Outputs map[string]Output
}

// Resource is one of a state's.
type Resource struct {
	URN, Type, Name string
	// ID is the provider's name for it; empty for components.
	ID string
	// Parent is the URN of the component that it belongs to.
	Parent string
	// Component resources stand for nothing by themselves.
	Component bool
	Protected bool
}

// Pending is an operation of which the outcome is unknown.
type Pending struct {
	URN, Type, Name string
	// Op is creating, updating, deleting, reading or importing.
	Op string
}

// Output is a value that the program exported.
type Output struct {
	// Value is Masked where it is secret.
	Value  any
	Secret bool
}
