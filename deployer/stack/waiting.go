package stack

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/balancer/v3-backend-infra/deployer/engine"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdsinstance"
	"github.com/balancer/v3-backend-infra/internal/awsx/rdspending"
)

// explainWaiting takes what waits for the database's maintenance window out of a plan's differences and names it. In a plan of the
// program it also takes out what the window has applied since the state was written. Where RDS does not answer, the plan stays as it
// is, with a warning.
func (s *Stack) explainWaiting(ctx context.Context, plan engine.Plan, ofProgram bool) engine.Plan {
	if databaseVersion(s.handle.Current()) == "" {
		return plan
	}
	id := s.env.DatabaseIdentifier()
	instance, err := rdsinstance.Find(ctx, s.target.AWS, id)
	switch {
	case err != nil:
		plan.Warnings = append(slices.Clone(plan.Warnings), fmt.Sprintf("it is unknown what waits for the maintenance window of %s: %v", id, err))
		return plan
	case instance == nil:
		return plan
	}
	var applied map[string]any
	if ofProgram {
		applied = rdspending.Present(instance)
	}
	return withoutWaiting(plan, rdspending.Of(instance), applied)
}

// withoutWaiting removes from a plan the differences between what a database has and what was requested of it and waits, in either
// direction, those that lead to an applied value of their property, and the steps that have no other difference. The changes that wait
// become the plan's Waiting.
func withoutWaiting(plan engine.Plan, waiting []rdspending.Change, applied map[string]any) engine.Plan {
	settled := func(d engine.Difference) bool {
		if value, known := applied[d.Path]; known && reflect.DeepEqual(d.New, value) {
			return true
		}
		return slices.ContainsFunc(waiting, func(c rdspending.Change) bool {
			return c.Property == d.Path && (reflect.DeepEqual(d.Old, c.Requested) && reflect.DeepEqual(d.New, c.Present) ||
				reflect.DeepEqual(d.Old, c.Present) && reflect.DeepEqual(d.New, c.Requested))
		})
	}
	var steps []engine.Step
	for _, step := range plan.Steps {
		if step.Type == instanceType && slices.ContainsFunc(step.Differences, settled) {
			step.Differences = slices.DeleteFunc(slices.Clone(step.Differences), settled)
			if len(step.Differences) == 0 {
				continue
			}
		}
		steps = append(steps, step)
	}
	plan.Steps = steps
	for _, c := range waiting {
		plan.Waiting = append(plan.Waiting, c.String())
	}
	return plan
}
