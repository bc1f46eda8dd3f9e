package environment

// ResourceName is the name of a resource of the environment that nothing but the program itself refers to.
func (e *Environment) ResourceName(what string) string { return e.resource(what) }
