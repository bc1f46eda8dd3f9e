// Package engine runs Pulumi's engine for the deployer. It is the only package that knows the Automation API.
//
// Find returns the engine's binary. Open copies the project's settings to a work directory, so that no tracked file is
// ever written, and returns a Handle on one stack. Up, Preview, Destroy, Refresh and PreviewRefresh run the engine as a
// child process and convert its events to Event, Plan and Summary. Each error of this package has a Hint.
//
// # Signals
//
// The child runs in a process group of its own, so that a terminal's Ctrl-C does not reach it. When the context of a run
// ends, the child gets exactly one SIGINT: it starts nothing new, waits for what is running, writes its state and releases
// its lock. The run waits for that without a limit; WithAbandon returns earlier, and the engine continues to its orderly
// end. It never gets a second signal, which would make it drop what is running and leave pending operations and a stale
// lock. Only where the cause of the context has a method StateTaken is the child killed: another engine may write the state.
//
// When this process is killed, the engine loses its program and ends in the same orderly way; it writes to files, not to
// pipes that would break. Pdeathsig is not set: to an engine that was already interrupted it would be the second signal.
//
// # Secrets
//
// The passphrase of the state's secrets is passed in the child's environment only. It is in no argument, no file and no
// error. Secret values in plans, outputs and states are replaced by Masked.
package engine
