package checks

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

// estate is what the checks of one run share: the environment, when it is, where to read, and what was read.
type estate struct {
	env *environment.Environment
	// now is when the run began. Everything is judged as of then.
	now  time.Time
	clk  clock.Clock
	src  Sources
	memo memo
}

// aws is the configuration from which checks make their clients; making one costs next to nothing.
func (e *estate) aws() aws.Config { return e.src.AWS }

// probeTimeout bounds a probe of the endpoint.
const probeTimeout = 10 * time.Second

// ahead starts a read that is going to be needed, so that it does not wait for those before it. Who needs the answer
// asks for it as always; the memo has it, or the error.
func ahead[T any](ctx context.Context, e *estate, read func(context.Context, *estate) (T, error)) {
	own := apart(ctx)
	go func() { _, _ = read(own, e) }()
}
