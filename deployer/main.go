// Deployer deploys the Balancer V3 GraphQL API to AWS and operates it.
package main

import (
	"os"

	"github.com/balancer/v3-backend-infra/deployer/command"
	_ "github.com/balancer/v3-backend-infra/deployer/gcpercent" // before the SDKs are initialised
	_ "github.com/balancer/v3-backend-infra/deployer/noquery"   // before the engine's SDK asks the terminal for its colors
)

// version is set by the linker.
var version = "development"

func main() {
	os.Exit(command.Main(version, os.Args, os.Exit))
}
