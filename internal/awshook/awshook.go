// Package awshook steps in before calls to AWS: tests and measurements count them, slow them down, or let one hang.
package awshook

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
)

// Before returns cfg with step called before each call, with its name, such as "ECS DescribeServices", and its typed
// input. Where step returns an error, that is what the call is answered with.
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
