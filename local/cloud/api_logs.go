package cloud

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

func logsOperations() []operation {
	return []operation{
		readOp(describeLogGroups), readOp(describeLogStreams), readOp(getLogEvents), readOp(filterLogEvents),
	}
}

// logStream is the log of one task.
type logStream struct {
	name    string
	created time.Time
	lines   []LogLine
}

func millis(t time.Time) *int64 { return aws.Int64(t.UnixMilli()) }

func (m model) logGroup(name, identifier *string) (string, error) {
	group := cmp.Or(deref(name), deref(identifier))
	if _, after, isARN := strings.Cut(group, ":log-group:"); isARN {
		group = strings.TrimSuffix(after, ":*")
	}
	if m.Find(typeLogGroup, "name", group) == nil {
		return "", &types.ResourceNotFoundException{Message: aws.String("The specified log group does not exist.")}
	}
	return group, nil
}

// streams returns the streams of a log group whose names begin with a prefix, by name. Logs of an earlier group with the same name are not
// included.
func (m model) streams(group, prefix string) []logStream {
	created := m.Find(typeLogGroup, "name", group).Created
	var all []logStream
	for _, t := range m.ECS.Tasks {
		in, name := m.stream(t)
		if in != group || !strings.HasPrefix(name, prefix) || t.Started.Before(created) {
			continue
		}
		if lines := m.logLines(t); len(lines) > 0 {
			all = append(all, logStream{name: name, created: t.Started, lines: lines})
		}
	}
	slices.SortFunc(all, func(x, y logStream) int { return cmp.Compare(x.name, y.name) })
	return all
}

func describeLogGroups(m model, in *cloudwatchlogs.DescribeLogGroupsInput) (*cloudwatchlogs.DescribeLogGroupsOutput, error) {
	var found []types.LogGroup
	for _, r := range m.ByType(typeLogGroup) {
		name := r.Text("name")
		if !strings.HasPrefix(name, deref(in.LogGroupNamePrefix)) || !strings.Contains(name, deref(in.LogGroupNamePattern)) {
			continue
		}
		group := types.LogGroup{
			LogGroupName: aws.String(name), Arn: aws.String(r.Text("arn") + ":*"), LogGroupArn: aws.String(r.Text("arn")),
			CreationTime: millis(r.Created), StoredBytes: aws.Int64(0), KmsKeyId: orNil(r.Text("kmsKeyId")),
		}
		if days := numberOr(r, "retentionInDays", 0); days > 0 {
			group.RetentionInDays = int32p(days)
		}
		found = append(found, group)
	}
	found, next, err := page(found, in.NextToken, in.Limit, 50)
	return &cloudwatchlogs.DescribeLogGroupsOutput{LogGroups: found, NextToken: next}, err
}

func describeLogStreams(m model, in *cloudwatchlogs.DescribeLogStreamsInput) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	group, err := m.logGroup(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	streams := m.streams(group, deref(in.LogStreamNamePrefix))
	newest := func(s logStream) time.Time { return s.lines[len(s.lines)-1].Time }
	slices.SortStableFunc(streams, func(x, y logStream) int {
		order := cmp.Compare(x.name, y.name)
		if in.OrderBy == types.OrderByLastEventTime {
			order = newest(x).Compare(newest(y))
		}
		if deref(in.Descending) {
			order = -order
		}
		return order
	})
	part, next, err := page(streams, in.NextToken, in.Limit, 50)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.DescribeLogStreamsOutput{NextToken: next}
	for _, s := range part {
		out.LogStreams = append(out.LogStreams, types.LogStream{
			LogStreamName: aws.String(s.name), CreationTime: millis(s.created), FirstEventTimestamp: millis(s.lines[0].Time),
			LastEventTimestamp: millis(newest(s)), LastIngestionTime: millis(newest(s)),
			Arn: aws.String(m.arn("logs", "log-group:"+group+":log-stream:"+s.name)),
		})
	}
	return out, nil
}

// within reports whether the time of a line, in milliseconds, is in [start, end).
func within(l LogLine, start, end *int64) bool {
	at := l.Time.UnixMilli()
	return (start == nil || at >= *start) && (end == nil || at < *end)
}

// getLogEvents reads a stream forwards, from a token that holds the number of lines already returned. At the end the
// token no longer changes, as in CloudWatch.
func getLogEvents(m model, in *cloudwatchlogs.GetLogEventsInput) (*cloudwatchlogs.GetLogEventsOutput, error) {
	group, err := m.logGroup(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	streams := m.streams(group, deref(in.LogStreamName))
	i := slices.IndexFunc(streams, func(s logStream) bool { return s.name == deref(in.LogStreamName) })
	if i < 0 {
		return nil, &types.ResourceNotFoundException{Message: aws.String("The specified log stream does not exist.")}
	}
	lines := slices.DeleteFunc(streams[i].lines, func(l LogLine) bool { return !within(l, in.StartTime, in.EndTime) })
	limit := int(deref(in.Limit))
	if limit <= 0 || limit > 10000 {
		limit = 10000
	}
	from := 0
	if !deref(in.StartFromHead) {
		from = max(0, len(lines)-limit)
	}
	if token := deref(in.NextToken); token != "" {
		if from, err = strconv.Atoi(strings.TrimPrefix(strings.TrimPrefix(token, "f/"), "b/")); err != nil {
			return nil, &types.InvalidParameterException{Message: aws.String("The specified nextToken is invalid.")}
		}
		if strings.HasPrefix(token, "b/") {
			from, lines = max(0, from-limit), lines[:min(from, len(lines))]
		}
	}
	from = min(from, len(lines))
	to := min(from+limit, len(lines))
	out := &cloudwatchlogs.GetLogEventsOutput{
		NextForwardToken: aws.String(fmt.Sprintf("f/%056d", to)), NextBackwardToken: aws.String(fmt.Sprintf("b/%056d", from)),
	}
	for _, l := range lines[from:to] {
		out.Events = append(out.Events, types.OutputLogEvent{Message: aws.String(l.Message), Timestamp: millis(l.Time), IngestionTime: millis(l.Time)})
	}
	return out, nil
}

// filterLogEvents reads the streams with a prefix in the order of time. Unlike in GetLogEvents, the end time is
// inclusive.
// Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func filterLogEvents(m model, in *cloudwatchlogs.FilterLogEventsInput) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	group, err := m.logGroup(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	matches, err := logFilter(deref(in.FilterPattern))
	if err != nil {
		return nil, err
	}
	end := in.EndTime
	if end != nil {
		end = aws.Int64(*end + 1)
	}
	var found []types.FilteredLogEvent
	for _, s := range m.streams(group, "") {
		if !strings.HasPrefix(s.name, deref(in.LogStreamNamePrefix)) ||
			len(in.LogStreamNames) > 0 && !slices.Contains(in.LogStreamNames, s.name) {
			continue
		}
		for n, l := range s.lines {
			if within(l, in.StartTime, end) && matches(l.Message) {
				found = append(found, types.FilteredLogEvent{
					EventId: aws.String(m.number("event", s.name, n)), LogStreamName: aws.String(s.name), Message: aws.String(l.Message),
					Timestamp: millis(l.Time), IngestionTime: millis(l.Time),
				})
			}
		}
	}
	slices.SortStableFunc(found, func(x, y types.FilteredLogEvent) int { return cmp.Compare(*x.Timestamp, *y.Timestamp) })
	found, next, err := page(found, in.NextToken, in.Limit, 10000)
	return &cloudwatchlogs.FilterLogEventsOutput{Events: found, NextToken: next}, err
}
