package checks

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
)

// observed returns cfg with every call limited and traced: at most limit calls are under way at once, retries and
// their waits included, so that a large estate is read slowly before it is throttled.
func observed(cfg aws.Config, limit int, trace func(Call), now func() time.Time) aws.Config {
	cfg = cfg.Copy()
	if cfg.Retryer == nil && cfg.RetryMode == "" {
		cfg.RetryMode = aws.RetryModeAdaptive
	}
	slots := make(chan struct{}, limit)
	var tell sync.Mutex
	step := middleware.InitializeMiddlewareFunc("Observe", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return middleware.InitializeOutput{}, middleware.Metadata{}, ctx.Err()
		}
		call := Call{
			Service: middleware.GetServiceID(ctx), Operation: middleware.GetOperationName(ctx),
			Component: componentOf(ctx), Start: now(),
		}
		out, metadata, err := next.HandleInitialize(ctx, in)
		if trace != nil {
			call.End, call.Err = now(), err
			tell.Lock()
			defer tell.Unlock()
			trace(call)
		}
		return out, metadata, err
	})
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
		// Before everything else, so that a call answered by another step is seen too.
		return stack.Initialize.Add(step, middleware.Before)
	})
	return cfg
}
