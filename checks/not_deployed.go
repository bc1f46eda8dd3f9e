package checks

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/environment"
)

// ReasonNotDeployed marks the only finding about an environment that was never deployed, or was destroyed.
const ReasonNotDeployed = "NotDeployed"

// NotDeployed reports whether the report is about an environment that is not deployed.
func (r Report) NotDeployed() bool {
	return len(r.Services) == 1 && r.Services[0].Reason == ReasonNotDeployed
}

// prerequisites lists the components that exist before an environment's first deployment and after its last.
var prerequisites = []string{"hosted_zone", "delegation", "secrets", "image_repository"}

// notDeployed returns the finding that replaces all others where the environment is not deployed: neither its network nor its cluster, its
// load balancer or its database exists, and Pulumi's state, where it can be read, has no resources. What could not be read may exist.
// The account is read only where one of the findings is an error of a component that a deployment creates.
func notDeployed(ctx context.Context, rc *runContext, findings []Finding) *Finding {
	missing := func(f Finding) bool { return f.Status == Error && !slices.Contains(prerequisites, f.Component) }
	if !slices.ContainsFunc(findings, missing) || !isUndeployed(ctx, rc) {
		return nil
	}
	finding := newFinding("stack", stackService(rc.env)).error(ReasonNotDeployed, Hint{
		Cause:    "it was never deployed, or was destroyed",
		Solution: "deploy it",
		Command:  command(rc.env, "up") + " " + tagPlaceholder,
	}, "%s is not deployed", rc.env.Name)
	return &finding
}

// IsUndeployed reports whether an environment is not deployed, by what notDeployed reads. What could not be read may exist.
func IsUndeployed(ctx context.Context, env *environment.Environment, src Sources, clk clock.Clock) bool {
	ctx, rc, stop := newRun(ctx, env, src, Options{}, clk)
	defer stop()
	return isUndeployed(withComponent(ctx, "stack"), rc)
}

func isUndeployed(ctx context.Context, rc *runContext) bool {
	for _, absent := range []func(context.Context, *runContext) bool{
		isAbsent(readVPC), isAbsent(readActiveCluster), isAbsent(readBalancer), isAbsent(readDatabase), hasNoState,
	} {
		if !absent(ctx, rc) {
			return false
		}
	}
	return true
}

// isAbsent returns a function that reports whether AWS was asked for a resource and has none.
func isAbsent[T any](read func(context.Context, *runContext) (*T, error)) func(context.Context, *runContext) bool {
	return func(ctx context.Context, rc *runContext) bool {
		found, err := read(ctx, rc)
		return err == nil && found == nil
	}
}

// readActiveCluster returns the environment's cluster, or nil where there is none: for some time ECS returns one that was deleted as INACTIVE.
// Source: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteCluster.html
func readActiveCluster(ctx context.Context, rc *runContext) (*ecstypes.Cluster, error) {
	cluster, err := readCluster(ctx, rc)
	if cluster != nil && aws.ToString(cluster.Status) == "INACTIVE" {
		return nil, err
	}
	return cluster, err
}

// hasNoState reports whether Pulumi's state records no resources. A state that does not exist or cannot be read records none.
func hasNoState(ctx context.Context, rc *runContext) bool {
	if rc.src.Stack == nil {
		return true
	}
	stack, err := readStack(ctx, rc)
	return err != nil || stack.Resources == 0
}
