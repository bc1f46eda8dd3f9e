// Package infra is the infrastructure program: what an environment, and what an account's environments share, consist
// of in AWS.
//
// Everything is a component resource of its own file. A component gets the environment and the outputs of the
// components that AWS makes it wait for, and nothing else; so the graph has only the edges that AWS asks for. Names
// come from the environment: where AWS refers to a thing by its name there is no edge at all.
//
// The package knows Pulumi and AWS's resources. It knows neither flags nor files nor the deployer; the same program
// runs inside the deployer and under the plain pulumi command (infra/program).
package infra
