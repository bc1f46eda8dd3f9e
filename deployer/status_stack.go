package main

import (
	"context"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/infra"
)

// stackReader reads what Pulumi's state says of the environment's stack. It makes nothing, neither stack nor lock. Where
// there is no engine, no access or no stack, its error says so, and the report leaves the stack out.
func (s settings) stackReader(p *place, env *environment.Environment) func(context.Context) (checks.StackInfo, error) {
	return func(ctx context.Context) (checks.StackInfo, error) {
		opened, err := s.openEnvironment(ctx, p, env, true)
		if err != nil {
			return checks.StackInfo{}, err
		}
		state := opened.handle.Current()
		info := checks.StackInfo{Updated: state.Updated, Image: state.Text(infra.OutputImage)}
		for _, r := range state.Resources {
			if !r.Component() {
				info.Resources++
			}
		}
		for _, op := range state.Pending {
			info.Pending = append(info.Pending, op.URN)
		}
		return info, nil
	}
}
