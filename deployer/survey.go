package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// survey looks at every environment that --env names, one after the other, and reports whether several were asked for.
// Of several, one that could not be looked at is said at once, and the look at it is what failed makes of the error; one
// alone that could not be looked at, and an interruption, end the survey.
func survey[T any](
	ctx context.Context, s settings, look func(context.Context, settings) (T, error), failed func(name string, err error) T,
) (all []T, several bool, err error) {
	if s.name == "" {
		_, err := s.environment()
		return nil, false, err
	}
	names, err := s.names()
	if err != nil {
		return nil, false, err
	}
	several = strings.Contains(s.name, ",") || s.name == allEnvironments
	for _, name := range names {
		one := s
		one.name = name
		found, err := look(ctx, one)
		switch {
		case err != nil && (!several || errors.Is(context.Cause(ctx), errInterrupted)):
			return nil, several, err
		case err != nil:
			if env, unknown := one.environment(); unknown == nil {
				name = env.Name
			}
			printError(s.err, fmt.Errorf("%s: %w", name, err))
			found = failed(name, err)
		}
		all = append(all, found)
	}
	return all, several, nil
}
