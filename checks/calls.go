package checks

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
)

// observed returns cfg with every call limited and told of: at most limit calls are under way at once, retries and
// their waits included, so that a large estate is read slowly before it is throttled.
func observed(cfg aws.Config, limit int, told *teller, now func() time.Time) aws.Config {
	cfg = cfg.Copy()
	if cfg.Retryer == nil {
		cfg.Retryer = patience(cfg.RetryMode, cmp.Or(cfg.RetryMaxAttempts, attempts))
	}
	slots := make(chan struct{}, limit)
	var made atomic.Int64
	step := middleware.InitializeMiddlewareFunc("Observe", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return middleware.InitializeOutput{}, middleware.Metadata{}, ctx.Err()
		}
		own := strandOf(ctx)
		call := Call{
			ID: int(made.Add(1)), After: own.known(), Component: own.component, Start: now(),
			Service: middleware.GetServiceID(ctx), Operation: middleware.GetOperationName(ctx),
		}
		out, metadata, err := next.HandleInitialize(ctx, in)
		call.End, call.Err = now(), err
		own.answered(call)
		told.tell(call)
		return out, metadata, err
	})
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
		// Before everything else, so that a call answered by another step is seen too.
		return stack.Initialize.Add(step, middleware.Before)
	})
	return cfg
}

// teller tells of calls, one at a time, until it ends.
type teller struct {
	mu sync.Mutex
	// trace is nil where nobody wants to know.
	trace func(Call)
}

func (t *teller) tell(c Call) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.trace != nil {
		t.trace(c)
	}
}

func (t *teller) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trace = nil
}
