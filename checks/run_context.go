package checks

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

// runContext is what the checks of one run share: environment, time, sources, and the cache of reads.
type runContext struct {
	env *environment.Environment
	// now is when the run started. Everything is evaluated as of then.
	now   time.Time
	clk   clock.Clock
	src   Sources
	cache cache
}

// aws returns the configuration from which checks create their clients, which costs next to nothing.
func (rc *runContext) aws() aws.Config { return rc.src.AWS }

// probeTimeout bounds a probe of the endpoint.
const probeTimeout = 10 * time.Second

// prefetch starts a read that is going to be needed, so that it does not wait for those before it. The caller gets the result
// from the cache.
func prefetch[T any](ctx context.Context, rc *runContext, read func(context.Context, *runContext) (T, error)) {
	forked := fork(ctx)
	go func() { _, _ = read(forked, rc) }()
}

// readBoth reads two values concurrently.
func readBoth[A, B any](
	ctx context.Context, rc *runContext,
	readA func(context.Context, *runContext) (A, error), readB func(context.Context, *runContext) (B, error),
) (a A, b B, err error) {
	prefetch(ctx, rc, readB)
	if a, err = readA(ctx, rc); err == nil {
		b, err = readB(ctx, rc)
	}
	return a, b, err
}
