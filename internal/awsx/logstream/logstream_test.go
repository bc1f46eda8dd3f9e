package logstream

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/stretchr/testify/require"
)

// answer answers a call with what it returns for its input.
type answer func(*cloudwatchlogs.GetLogEventsInput) (*cloudwatchlogs.GetLogEventsOutput, error)

func (a answer) GetLogEvents(
	_ context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options),
) (*cloudwatchlogs.GetLogEventsOutput, error) {
	return a(in)
}

func TestName(t *testing.T) {
	require.Equal(t, "api/app/0123abcd", Name("api", "app", "arn:aws:ecs:us-east-1:111122223333:task/dev/0123abcd"))
	require.Equal(t, "api/app/0123abcd", Name("api", "app", "0123abcd"))
}

func TestTail(t *testing.T) {
	lines, err := Tail(t.Context(), answer(func(in *cloudwatchlogs.GetLogEventsInput) (*cloudwatchlogs.GetLogEventsOutput, error) {
		require.Equal(t, "dev", *in.LogGroupName)
		require.Equal(t, "api/app/1", *in.LogStreamName)
		require.EqualValues(t, 2, *in.Limit)
		require.Nil(t, in.StartFromHead, "the default is the end of the stream")
		return &cloudwatchlogs.GetLogEventsOutput{Events: []types.OutputLogEvent{
			{Message: aws.String("starting\n")}, {Message: aws.String("panic: no database")},
		}}, nil
	}), "dev", "api/app/1", 2)
	require.NoError(t, err)
	require.Equal(t, []string{"starting", "panic: no database"}, lines)
}

func TestTailOfNoStream(t *testing.T) {
	lines, err := Tail(t.Context(), answer(func(*cloudwatchlogs.GetLogEventsInput) (*cloudwatchlogs.GetLogEventsOutput, error) {
		return nil, &types.ResourceNotFoundException{}
	}), "dev", "api/app/1", 2)
	var missing *types.ResourceNotFoundException
	require.ErrorAs(t, err, &missing)
	require.Empty(t, lines)
}
