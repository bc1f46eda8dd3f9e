package checks

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/awsx"
	"github.com/balancer/v3-backend-infra/internal/awsx/logstream"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// readLogGroup returns the log group of the environment's containers, or nil where there is none.
func readLogGroup(ctx context.Context, rc *runContext) (*logstypes.LogGroup, error) {
	return cached(ctx, &rc.cache, "log group", func(ctx context.Context) (*logstypes.LogGroup, error) {
		groups, err := awsx.Pages(ctx, cloudwatchlogs.NewDescribeLogGroupsPaginator(cloudwatchlogs.NewFromConfig(rc.aws()),
			&cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String(rc.env.LogGroupName())}),
			func(out *cloudwatchlogs.DescribeLogGroupsOutput) []logstypes.LogGroup { return out.LogGroups })
		return list.Find(groups, func(g logstypes.LogGroup) bool { return aws.ToString(g.LogGroupName) == rc.env.LogGroupName() }), err
	})
}

func evaluateLogGroup(group *logstypes.LogGroup, env *environment.Environment) Finding {
	f := newFinding("log_groups", "CloudWatch-LogGroup-"+env.LogGroupName())
	if group == nil {
		return f.error("LogGroupMissing", missingHint(env, "the group"), "the log group %s does not exist", env.LogGroupName())
	}
	kept, wanted := aws.ToInt32(group.RetentionInDays), env.Monitoring.LogRetentionDays
	f = f.with("retention_days", kept).with("stored_bytes", aws.ToInt64(group.StoredBytes))
	switch {
	case kept == 0:
		return f.warning("NoRetention", driftHint(env, "the retention was removed outside the deployer"), "logs never expire, the environment's file has %d days", wanted)
	case int(kept) != wanted:
		return f.warning("OtherRetention", differsHint(env, "the retention was changed"),
			"logs are kept for %s, the environment's file has %d", text.Plural(int(kept), "day", "days"), wanted)
	}
	return f.healthy("Kept", "kept for %s", text.Plural(int(kept), "day", "days"))
}

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
