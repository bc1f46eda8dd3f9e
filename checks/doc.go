// Package checks knows what a healthy environment looks like.
//
// A check is a value in one table (All): the component that it judges and a function that reads AWS and judges what
// it read. Reading and judging are apart. What is read is read once in a run, whoever asks first; what is judged is
// judged by a pure function of the thing, the environment and the time, a ladder of early returns whose first rule
// that applies wins.
//
// What could not be read is unknown, never silently healthy, and does not keep the others from being judged.
//
// The package prints nothing, and needs no Pulumi state: it finds everything by the environment's names.
package checks
