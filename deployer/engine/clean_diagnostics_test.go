package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCleanDiagnostic(t *testing.T) {
	for name, c := range map[string]struct{ message, want string }{
		"plain":    {"error: no such thing\n", "no such thing"},
		"markup":   {"<{%fg 1%}>error: <{%reset%}>no such thing<{%reset%}>\n", "no such thing"},
		"terminal": {"\x1b[38;5;9mno\x1b[0m such thing", "no such thing"},
		"commands": {"error: BadRequest: \x1b]0;t\x07 ##[error]x\n::add-mask::a\r", `BadRequest: \x1b]0;t\x07 # #[error]x` + "\n: :add-mask::a"},
		"provider": {"1 error occurred:\n\t* creating RDS DB Instance (db): InsufficientDBInstanceCapacity: none\n\n\n",
			"creating RDS DB Instance (db): InsufficientDBInstanceCapacity: none"},
		"two of them": {"2 errors occurred:\n\t* one\n\t* two\n\n", "one\ntwo"},
		"bridge": {"  sdk-v2/provider2.go:572: sdk.helper_schema: creating S3 Bucket (b): BucketAlreadyExists: provider=aws@6.83.2",
			"creating S3 Bucket (b): BucketAlreadyExists"},
		"step": {"error: creating urn:pulumi:dev::app::app:infra:Queue$aws:sqs/queue:Queue::queue: reading SQS Queue (q): AccessDenied",
			"reading SQS Queue (q): AccessDenied"},
		"step in a list": {"2 errors occurred:\n\t* creating Queue (q): timeout\n\t* creating urn:pulumi:dev::app::aws:sqs/queue:Queue::queue: " +
			"creating Queue (q): timeout\n\n", "creating Queue (q): timeout"},
		"program": {"an unhandled error occurred: 1 error occurred:\n\t* the image is missing\n\n\n", "the image is missing"},
		"panic": {"an unhandled error occurred: go inline source runtime error, an unhandled error occurred: assignment to entry in nil map\n",
			"assignment to entry in nil map"},
		"stack trace": {"error: something broke\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:69 +0x6d\n", "something broke"},
		"log of the SDK": {"SDK 2026/11/30 05:00:00 WARN falling back to IMDSv1: timeout\nerror: no such thing\n" +
			"SDK 2026/11/30 05:00:01 DEBUG Response has no supported checksum. Not validating response payload.\n", "no such thing"},
		"only a log of the SDK": {"SDK 2026/11/30 05:00:01 DEBUG Response has no supported checksum. Not validating response payload.", ""},
		"several lines":         {"one\ntwo", "one\ntwo"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, cleanDiagnostic(c.message)) })
	}
}

func TestGenericMessages(t *testing.T) {
	for message, want := range map[string]bool{
		"update failed": true, "update canceled": true, "preview failed": true, "destroy canceled": true,
		"waiting for RPCs: rpc error: code = Unavailable desc = resource monitor shut down while waiting": true,
		"update failed: no credentials": false, "the image is missing": false,
	} {
		require.Equal(t, want, genericMessages.MatchString(message), message)
	}
}
