// Package engine runs Pulumi's engine for the deployer. It is the only package that knows the Automation API.
//
// Find looks for the engine's binary and asks its version. Open makes a work copy of the project's settings, so that
// no tracked file is ever written, and gives a Handle on one stack. Up, Preview, Destroy, Refresh and PreviewRefresh
// run the engine as a child process and turn its events into Event, Plan and Summary. Each error of this package has a
// Hint that says what to do.
//
// # Signals
//
// The child runs in a process group of its own, so that a terminal's Ctrl-C does not reach it. When the context of a
// run ends, the child gets exactly one SIGINT: it starts nothing new, waits for what is running, writes its state and
// releases its lock. Its end is waited for, however long that takes; whoever cannot wait leaves the process, and the
// engine goes on to its own orderly end. It never gets the second signal, which would make it drop what is running
// and leave pending operations and a stale lock.
//
// When this process is killed, the engine loses the program, sees that, and ends in the same orderly way; it writes
// to files, not to pipes that would break. No Pdeathsig is set: to an engine that was already asked to stop it would
// be the second signal.
//
// # Secrets
//
// The passphrase of the state's secrets travels in the child's environment only. It is in no argument, no file and no
// error. Secret values in plans, outputs and states are replaced by Masked.
package engine
