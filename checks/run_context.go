package checks

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

// runContext is what the checks of one run share: the environment, when it is, where to read, and what was read.
type runContext struct {
	env *environment.Environment
	// now is when the run began. Everything is judged as of then.
	now   time.Time
	clk   clock.Clock
	src   Sources
	cache cache
}

// aws is the configuration from which checks make their clients; making one costs next to nothing.
func (rc *runContext) aws() aws.Config { return rc.src.AWS }

// probeTimeout bounds a probe of the endpoint.
const probeTimeout = 10 * time.Second

// prefetch starts a read that is going to be needed, so that it does not wait for those before it. Who needs the answer
// asks for it as always; the memo has it, or the error.
func prefetch[T any](ctx context.Context, rc *runContext, read func(context.Context, *runContext) (T, error)) {
	forked := fork(ctx)
	go func() { _, _ = read(forked, rc) }()
}
