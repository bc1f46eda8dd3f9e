package checks

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// logTailLines is how many log lines of a task that failed are shown.
const logTailLines = 8

// readLogTail returns the last log lines of a task of one of the environment's services; none where there are none
// or they cannot be read.
func readLogTail(ctx context.Context, rc *runContext, service string, task ecstypes.Task) []string {
	for _, s := range rc.env.Services.List() {
		if rc.env.ServiceName(s.Role) != service {
			continue
		}
		// The awslogs driver names streams prefix/container/task; the program's prefix is the role.
		stream := strings.Join([]string{string(s.Role), rc.env.ContainerName(s.Role), lastPart(aws.ToString(task.TaskArn))}, "/")
		out, err := cloudwatchlogs.NewFromConfig(rc.aws()).GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String(rc.env.LogGroupName()), LogStreamName: aws.String(stream), Limit: aws.Int32(logTailLines),
		})
		if err != nil {
			return nil
		}
		var lines []string
		for _, event := range out.Events {
			lines = append(lines, aws.ToString(event.Message))
		}
		return lines
	}
	return nil
}
