// Package checks evaluates the health of an environment.
//
// A check is a row of one table (All): the component that it evaluates, and a function that reads AWS and evaluates what it read.
// Reading and evaluating are separate. Each value is read once in a run, whichever check asks first. It is evaluated by a pure
// function of the value, the environment and the time: a series of early returns, of which the first rule that applies decides.
//
// What could not be read is unknown, never healthy, and does not prevent other checks.
//
// The package prints nothing and needs no Pulumi state: it finds every resource by the environment's names.
package checks
