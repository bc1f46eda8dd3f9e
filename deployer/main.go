// Deployer brings the Balancer V3 GraphQL API to AWS and looks after it there.
package main

import (
	"context"
	"os"

	_ "github.com/balancer/v3-backend-infra/deployer/noquery" // before the engine's SDK asks the terminal for its colours
)

// version is set by the linker.
var version = "development"

func main() {
	ctx, stop := interruptible(context.Background(), os.Stderr, os.Exit)
	code := run(ctx, os.Args, streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}
