package checks

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// now is when everything is judged in these tests.
var now = time.Date(2025, 6, 3, 4, 43, 14, 0, time.UTC)

func ago(d time.Duration) *time.Time { return aws.Time(now.Add(-d)) }

func in(d time.Duration) *time.Time { return aws.Time(now.Add(d)) }

const day = 24 * time.Hour

func loaded(t testing.TB, name string) *environment.Environment {
	env, err := environment.Load("..", name)
	require.NoError(t, err)
	return env
}

// verdict is what a table expects of a finding: its status, its reason, and a part of its message.
type verdict struct {
	status  Status
	reason  string
	message string
}

// requireVerdict also holds what is true of every finding: whatever is not healthy has a hint, and whatever is has none.
func requireVerdict(t *testing.T, want verdict, got Finding) {
	t.Helper()
	require.Equal(t, want.status, got.Status, "%s: %s", got.Reason, got.Message)
	require.Equal(t, want.reason, got.Reason, got.Message)
	require.Contains(t, got.Message, want.message)
	require.NotEmpty(t, got.Service)
	require.Contains(t, Components(), got.Component)
	if got.Status == Healthy {
		require.Nil(t, got.Hint)
		return
	}
	require.NotNil(t, got.Hint)
	require.NotEmpty(t, got.Hint.Cause)
	require.NotEmpty(t, got.Hint.Solution)
}

// answering returns a configuration whose calls are answered by the function, instead of AWS: it gets the typed input and
// returns the typed output. An input that it does not know should be an error that names it.
func answering(answer func(ctx context.Context, in any) (any, error)) aws.Config {
	step := middleware.InitializeMiddlewareFunc("Answer", func(
		ctx context.Context, in middleware.InitializeInput, _ middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, err := answer(ctx, in.Parameters)
		return middleware.InitializeOutput{Result: out}, middleware.Metadata{}, err
	})
	return aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		APIOptions: []func(*middleware.Stack) error{func(stack *middleware.Stack) error {
			return stack.Initialize.Add(step, middleware.After)
		}},
	}
}

// nowhere is a resolver that knows no name.
type nowhere struct{}

func (nowhere) LookupHost(_ context.Context, host string) ([]string, error) {
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func (nowhere) LookupNS(_ context.Context, name string) ([]*net.NS, error) {
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func unanswered(in any) error { return fmt.Errorf("there is no response to %T", in) }

func apiError(code string) error {
	return &smithy.GenericAPIError{Code: code, Message: "no"}
}

// known caches the answer to a read.
func known[T any](t *testing.T, rc *runContext, key string, value T) {
	_, err := cached(t.Context(), &rc.cache, key, func(context.Context) (T, error) { return value, nil })
	require.NoError(t, err)
}
