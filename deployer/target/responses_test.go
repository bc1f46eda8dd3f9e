package target

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// answering returns a configuration whose calls are answered by name, and the names of the calls.
func answering(answers map[string]any) (aws.Config, *[]string) {
	calls := &[]string{}
	cfg := aws.Config{Region: "us-east-1"}
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("Answer", func(
			ctx context.Context, _ middleware.InitializeInput, _ middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			name := middleware.GetOperationName(ctx)
			*calls = append(*calls, name)
			if err, failed := answers[name].(error); failed {
				return middleware.InitializeOutput{}, middleware.Metadata{}, err
			}
			return middleware.InitializeOutput{Result: answers[name]}, middleware.Metadata{}, nil
		}), middleware.After)
	})
	return cfg, calls
}

const secretText = `{"SENTRY_DSN": "https://0123456789abcdef@sentry.example.org/7", "NODE_ENV": "production", "KEY": "tab\tin\u0007it"}`

func logEvents(lines ...string) *cloudwatchlogs.GetLogEventsOutput {
	out := &cloudwatchlogs.GetLogEventsOutput{}
	for _, line := range lines {
		out.Events = append(out.Events, logtypes.OutputLogEvent{Message: aws.String(line)})
	}
	return out
}

func TestResponses(t *testing.T) {
	manifest, secret := "{\r\n}\x07", secretText
	cfg, calls := answering(map[string]any{
		"GetSecretValue": &secretsmanager.GetSecretValueOutput{SecretString: &secret},
		"GetLogEvents": logEvents("DSN https://0123456789abcdef@sentry.example.org/7 in production",
			"0123\x1b[0m456789abcdef", "key tab\tin\x07it", "::error::\x1b[2J"),
		"DescribeTasks": &ecs.DescribeTasksOutput{Tasks: []ecstypes.Task{{
			StoppedReason: aws.String("exec: 0123456789abcdef\r"), StartedBy: aws.String("a\x1bb"),
		}}},
		"BatchGetImage":    &ecr.BatchGetImageOutput{Images: []ecrtypes.Image{{ImageManifest: &manifest}}},
		"DescribeServices": &ecstypes.InvalidParameterException{Message: aws.String("no ##[error]")},
		"StopTask":         &smithy.GenericAPIError{Code: "X", Message: "no\x1b[2J\r"},
	})
	cfg, r := SanitizeResponses(cfg, &environment.Environment{Stack: "staging"})

	logs, err := cloudwatchlogs.NewFromConfig(cfg).GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogStreamName: aws.String("s")})
	require.NoError(t, err)
	require.Equal(t, logEvents("DSN [hidden] in production", "[hidden]", "key [hidden]", ": :error::"), logs)
	require.NoError(t, r.SecretUnread())
	_, err = cloudwatchlogs.NewFromConfig(cfg).GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogStreamName: aws.String("s")})
	require.NoError(t, err)
	require.Equal(t, []string{"GetSecretValue", "GetLogEvents", "GetLogEvents"}, *calls, "the secret is read once")

	tasks, err := ecs.NewFromConfig(cfg).DescribeTasks(t.Context(), &ecs.DescribeTasksInput{Tasks: []string{"t"}})
	require.NoError(t, err)
	require.Equal(t, `exec: [hidden]\x0d`, *tasks.Tasks[0].StoppedReason)
	require.Equal(t, `a\x1bb`, *tasks.Tasks[0].StartedBy)

	read, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String("s")})
	require.NoError(t, err)
	require.Equal(t, secretText, *read.SecretString, "a secret is used as it is")
	images, err := ecr.NewFromConfig(cfg).BatchGetImage(t.Context(), &ecr.BatchGetImageInput{RepositoryName: aws.String("r"), ImageIds: []ecrtypes.ImageIdentifier{{}}})
	require.NoError(t, err)
	require.Equal(t, "{\r\n}\x07", *images.Images[0].ImageManifest, "the digest is the manifest's hash")

	_, err = ecs.NewFromConfig(cfg).DescribeServices(t.Context(), &ecs.DescribeServicesInput{Services: []string{"s"}})
	require.ErrorContains(t, err, "no # #[error]")
	_, err = ecs.NewFromConfig(cfg).StopTask(t.Context(), &ecs.StopTaskInput{Task: aws.String("t")})
	require.ErrorContains(t, err, `no\x0d`)
}

func TestResponsesWithoutTheSecret(t *testing.T) {
	cfg, _ := answering(map[string]any{
		"GetSecretValue": errors.New("denied"), "GetLogEvents": logEvents("postgres://u:pass-word-1@h/db"),
	})
	cfg, r := SanitizeResponses(cfg, &environment.Environment{Stack: "staging"})
	require.NoError(t, r.SecretUnread())
	logs, err := cloudwatchlogs.NewFromConfig(cfg).GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogStreamName: aws.String("s")})
	require.NoError(t, err, "lines are shown all the same")
	require.Equal(t, logEvents("postgres://u:[hidden]@h/db"), logs)
	require.ErrorContains(t, r.SecretUnread(), "denied")
}

// A read of the secret that failed is repeated, but not before each log line. What was read before stays reported.
func TestResponsesReadTheSecretAgain(t *testing.T) {
	secret, answers := secretText, map[string]any{"GetSecretValue": errors.New("throttled"), "GetLogEvents": logEvents("key tab\tin\x07it")}
	cfg, calls := answering(answers)
	cfg, r := SanitizeResponses(cfg, &environment.Environment{Stack: "staging"})
	now := time.Now()
	r.now = func() time.Time { return now }
	read := func() *cloudwatchlogs.GetLogEventsOutput {
		answers["GetLogEvents"] = logEvents("key tab\tin\x07it")
		logs, err := cloudwatchlogs.NewFromConfig(cfg).GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogStreamName: aws.String("s")})
		require.NoError(t, err)
		return logs
	}
	require.NotEqual(t, logEvents("key [hidden]"), read())
	answers["GetSecretValue"] = &secretsmanager.GetSecretValueOutput{SecretString: &secret}
	require.NotEqual(t, logEvents("key [hidden]"), read(), "it is too early")
	now = now.Add(secretPause)
	require.Equal(t, logEvents("key [hidden]"), read())
	require.Equal(t, logEvents("key [hidden]"), read())
	require.Equal(t, []string{"GetSecretValue", "GetLogEvents", "GetLogEvents", "GetSecretValue", "GetLogEvents", "GetLogEvents"}, *calls)
	require.ErrorContains(t, r.SecretUnread(), "throttled", "lines were shown before")
}

func TestSecretValues(t *testing.T) {
	require.ElementsMatch(t, []string{"https://0123456789abcdef@sentry.example.org/7", "tab\tin\ait"}, secretValues(secretText), "NODE_ENV is public")
	require.Equal(t, []string{"the password"}, secretValues(`{"username": "balancer_user", "password": "the password", "port": 5432}`))
	require.Equal(t, []string{"no object"}, secretValues("no object"))
}
