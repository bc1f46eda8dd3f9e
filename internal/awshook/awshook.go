// Package awshook hooks into calls to AWS: tests and benchmarks count them, delay them, or make one hang.
package awshook

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
)

// Before returns a copy of cfg that calls step before each AWS call with its name, such as "ECS DescribeServices", and
// its typed input. An error of step becomes the result of the call.
func Before(cfg aws.Config, step func(ctx context.Context, name string, in any) error) aws.Config {
	cfg = cfg.Copy()
	stepIn := middleware.InitializeMiddlewareFunc("StepIn", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		name := middleware.GetServiceID(ctx) + " " + middleware.GetOperationName(ctx)
		if err := step(ctx, name, in.Parameters); err != nil {
			return middleware.InitializeOutput{}, middleware.Metadata{}, err
		}
		return next.HandleInitialize(ctx, in)
	})
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(stepIn, middleware.Before)
	})
	return cfg
}
