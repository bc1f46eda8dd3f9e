package logs

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/moto"
)

// TestReadOverTheWire reads from another implementation of CloudWatch than the simulated account.
func TestReadOverTheWire(t *testing.T) {
	ctx, client := t.Context(), cloudwatchlogs.NewFromConfig(moto.Config(t, "us-east-1"))
	start := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	name := aws.String("/aws/ecs/v3-backend-staging")
	read := func(q Query) (shown []Event, dropped int, err error) {
		q.Group, q.Since = *name, start
		r := Reader{Client: client, Query: q, Emit: func(e Event) error { shown = append(shown, e); return nil }}
		_, dropped, err = r.Read(ctx)
		return shown, dropped, err
	}
	messages := func(events []Event) (all []string) {
		for _, e := range events {
			all = append(all, e.Message)
		}
		return all
	}

	_, _, err := read(Query{})
	var absent *types.ResourceNotFoundException
	require.ErrorAs(t, err, &absent)

	_, err = client.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: name})
	require.NoError(t, err)
	write := func(stream string, seconds int, lines ...string) {
		_, err := client.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: name, LogStreamName: &stream})
		require.NoError(t, err)
		in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: name, LogStreamName: &stream}
		for i, line := range lines {
			at := start.Add(time.Duration(seconds+2*i) * time.Second)
			in.LogEvents = append(in.LogEvents, types.InputLogEvent{Message: aws.String(line), Timestamp: aws.Int64(at.UnixMilli())})
		}
		_, err = client.PutLogEvents(ctx, in)
		require.NoError(t, err)
	}
	write("api/balancer-api/0123", 0, "one", "three error", "five")
	write("worker/balancer-worker/4567", 1, "two", "four error")
	write("scheduler/balancer-scheduler/89ab", 1, "not asked for")

	both := []string{"api", "worker"}
	shown, _, err := read(Query{Services: both})
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two", "three error", "four error", "five"}, messages(shown))
	require.Equal(t, Event{
		ID: shown[1].ID, Time: start.Add(time.Second).UTC(), Ingested: shown[1].Ingested, Stream: "worker/balancer-worker/4567",
		Service: "worker", Container: "balancer-worker", Task: "4567", Message: "two",
	}, shown[1])

	shown, _, err = read(Query{Services: both, Filter: Pattern("error")})
	require.NoError(t, err)
	require.Equal(t, []string{"three error", "four error"}, messages(shown))

	shown, dropped, err := read(Query{Services: both, Limit: 2, Until: start.Add(4 * time.Second)})
	require.NoError(t, err)
	require.Equal(t, []string{"three error", "four error"}, messages(shown))
	require.Equal(t, 2, dropped)
}
