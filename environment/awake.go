package environment

// HoursAwake returns how many of the 730 hours of a month the environment is awake.
func (e *Environment) HoursAwake() float64 { return 730 }
