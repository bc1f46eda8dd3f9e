package environment

// AsleepParameter returns the name of the parameter of Systems Manager that exists while the environment is asleep.
func (e *Environment) AsleepParameter() string { return AsleepParameterOf(e.Prefix, e.Stack) }

// AsleepParameterOf returns the same of a stack's environment.
func AsleepParameterOf(prefix, stack string) string { return "/" + prefix + "/" + stack + "/asleep" }

// SuppressorAlarmName returns the name of the alarm that is in ALARM while the environment is asleep.
func (e *Environment) SuppressorAlarmName() string { return e.AlarmName("asleep") }
