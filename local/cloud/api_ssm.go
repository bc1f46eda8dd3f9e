package cloud

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/balancer/v3-backend-infra/internal/awsx"
)

func ssmOperations() []operation { return []operation{readOp(startSession)} }

// startSession rejects what Session Manager rejects, and otherwise reports that sessions are not simulated.
func startSession(m model, in *ssm.StartSessionInput) (*ssm.StartSessionOutput, error) {
	connected := slices.ContainsFunc(m.ECS.tasks(func(t *task) bool { return t.Exec && m.running(t) }), func(t *task) bool {
		target := fmt.Sprintf("ecs:%s_%s_", awsx.NameFromARN(t.Cluster), t.ID())
		runtime, ok := strings.CutPrefix(deref(in.Target), target)
		return ok && slices.ContainsFunc(m.describeTask(t).Containers, func(c ecstypes.Container) bool { return deref(c.RuntimeId) == runtime })
	})
	switch document := deref(in.DocumentName); {
	case !connected:
		return nil, &types.TargetNotConnected{Message: aws.String(deref(in.Target) + " is not connected.")}
	case document != "AWS-StartPortForwardingSessionToRemoteHost":
		return nil, &types.InvalidDocument{Message: aws.String("Document with name " + document + " does not exist.")}
	}
	return nil, apiError("NotSimulated", "simulated databases accept no connections, so no port can be forwarded to one")
}
