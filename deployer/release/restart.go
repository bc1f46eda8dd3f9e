package release

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
)

// restart implements rolloutWatcher. ECS deploys the same task definition again, so the stack does not change.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
func (r *ecsRollout) restart(ctx context.Context) error {
	observations, err := r.observe(ctx)
	if err != nil {
		return err
	}
	for _, o := range observations {
		if !o.unchanged() {
			continue
		}
		if err := r.forceDeployment(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// forceDeployment starts a service deployment of the service's current task definition.
func (r *ecsRollout) forceDeployment(ctx context.Context, o observation) error {
	_, err := r.ecs.UpdateService(ctx, &ecs.UpdateServiceInput{
		Cluster: o.service.ClusterArn, Service: aws.String(o.name), ForceNewDeployment: true,
	})
	if err != nil {
		return fmt.Errorf("restart %s: %w", o.name, err)
	}
	return nil
}
