// Package environment defines what an environment is.
//
// An environment is one file, Pulumi.<stack>.yaml. It is decoded strictly, completed with defaults and validated here
// only: the Pulumi program, the deployer and the checks get the same value. Every name, domain and tag that AWS shows is
// derived here and nowhere else.
//
// The package knows neither AWS nor Pulumi.
package environment
