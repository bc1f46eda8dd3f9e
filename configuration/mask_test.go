package configuration

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIsSensitive(t *testing.T) {
	known := []string{"AWS_REGION", "SQS_BACKGROUND_JOB_QUEUE_URL", "DATABASE_HOST", "DATABASE_SECRET_ARN", "CONFIG_SECRET_ID"}
	for variable, want := range map[[2]string]bool{
		// Names that no list of secret words has had all of.
		{"DB_PASS", "x"}: true, {"SMTP_PASS", "x"}: true, {"API_KEYS", "x"}: true, {"SIGNING_KEYS", "x"}: true, {"JWT", "x"}: true,
		{"MNEMONIC", "x"}: true, {"CONNECTION_STRING", "x"}: true, {"DATABASE_URL", "x"}: true, {"SENTRY_DSN", "x"}: true,
		{"MONKEY", "x"}: true, {"", ""}: true, {"node_env", "x"}: true,
		// Forms.
		{"ANY", "-----BEGIN PRIVATE KEY-----"}: true, {"RPC_URL", "https://mainnet.infura.io/v3/0123"}: true,
		{"HOOK", "https://hooks.slack.com/services/T/B/x"}: true, {"NODE_ENV", "-----BEGIN PRIVATE KEY-----"}: true,
		{"LOG_LEVEL", "line\nline"}: true, {"HOST", "https://u@h/"}: true, {"HOST", "https://h/?api-key=x"}: true, {"HOST", "https://h/%zz"}: true,
		{"SQS_BACKGROUND_JOB_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/1/q?sig=x"}: true, {"DATABASE_HOST", "postgresql://u:p@h"}: true,
		// What is plain, and what the program sets.
		{"NODE_ENV", "production"}: false, {"LOG_LEVEL", "info"}: false, {"PORT", "3000"}: false,
		{"SQS_BACKGROUND_JOB_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/1/q"}: false, {"AWS_REGION", "us-east-1"}: false,
		{"DATABASE_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:1:secret:rds!db-1-AbCdEf"}: false, {"CONFIG_SECRET_ID", "x"}: false,
	} {
		require.Equal(t, want, IsSensitive(variable[0], variable[1], known), "%s=%s", variable[0], variable[1])
	}
}

func TestIsSensitiveInSecret(t *testing.T) {
	for variable, want := range map[[3]string]bool{
		{"NODE_ENV", "NODE_ENV", "production"}: false, {"AWS_REGION", "AWS_REGION", "us-east-1"}: false, {"AWS_REGION", "AWS_REGION", "us-gov-west-1"}: false,
		{"PORT", "PORT", "3000"}: false, {"LOG_LEVEL", "LOG_LEVEL", "debug"}: false, {"HOST", "HOST", "0.0.0.0"}: false, {"TZ", "TZ", "Europe/Berlin"}: false,
		{"LANG", "LANG", "en_US.UTF-8"}: false,
		// Another name, another key, another form.
		{"SENTRY_DSN", "SENTRY_DSN", "production"}: true, {"DATABASE_HOST", "DATABASE_HOST", "h"}: true, {"NODE_ENV", "API_KEY", "production"}: true,
		{"API_KEY", "NODE_ENV", "production"}: true, {"NODE_ENV", "NODE_ENV", "hunter2"}: true, {"NODE_ENV", "NODE_ENV", "aHVudGVyhunter"}: true,
		{"AWS_REGION", "AWS_REGION", "hunter"}: true, {"PORT", "PORT", "123456"}: true, {"NODE_ENV", "NODE_ENV", "production\n"}: true,
		{"NODE_ENV", "NODE_ENV", ""}: true, {"HOST", "HOST", "https://u:p@h"}: true,
	} {
		require.Equal(t, want, IsSensitiveInSecret(variable[0], variable[1], variable[2]), "%v", variable)
	}
}
