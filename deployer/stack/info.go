package stack

import (
	"context"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/infra"
)

// Info reads the target's environment from Pulumi's state. It creates nothing, neither stack nor lock, and returns an error
// where there is no engine, no access or no stack.
func (o *Opener) Info(ctx context.Context, t *target.Target) (checks.StackInfo, error) {
	opened, err := o.Open(ctx, t, MustExist, Scope{})
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
