package checks

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// lastLines is how many log lines of a task that failed are shown.
const lastLines = 8

// readLastWords returns the last log lines of a task of one of the environment's services; none where there are none
// or they cannot be read.
func readLastWords(ctx context.Context, e *estate, service string, task ecstypes.Task) []string {
	for _, s := range e.env.Services.List() {
		if e.env.ServiceName(s.Role) != service {
			continue
		}
		// The awslogs driver names streams prefix/container/task; the program's prefix is the role.
		stream := strings.Join([]string{string(s.Role), e.env.ContainerName(s.Role), lastPart(aws.ToString(task.TaskArn))}, "/")
		out, err := cloudwatchlogs.NewFromConfig(e.aws()).GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: aws.String(e.env.LogGroupName()), LogStreamName: aws.String(stream), Limit: aws.Int32(lastLines),
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
