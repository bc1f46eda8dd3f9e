// Package infra is the infrastructure program: the AWS resources of an environment, and those that an account's
// environments share.
//
// Every component resource has its own file. A component gets the environment and the outputs that AWS requires it to
// wait for, and nothing else, so that the graph has no other dependencies. Names come from the environment: where AWS
// refers to a resource by its name, there is no dependency at all.
//
// The package knows Pulumi and AWS's resources, but neither flags nor files nor the deployer: the same program runs
// inside the deployer and with the plain pulumi command (infra/program).
package infra
