package checks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/internal/awsx/logstream"
)

// logTailLines is how many log lines of a task that failed are shown.
const logTailLines = 8

// readLogTail returns the last log lines of a task of one of the environment's services, none where they cannot be read.
func readLogTail(ctx context.Context, rc *runContext, service string, task ecstypes.Task) []string {
	for _, s := range rc.env.Services.List() {
		if rc.env.ServiceName(s.Role) == service {
			// The infra program gives each role's streams the role as their prefix.
			stream := logstream.Name(string(s.Role), rc.env.ContainerName(s.Role), aws.ToString(task.TaskArn))
			lines, _ := logstream.Tail(ctx, cloudwatchlogs.NewFromConfig(rc.aws()), rc.env.LogGroupName(), stream, logTailLines)
			return lines
		}
	}
	return nil
}
