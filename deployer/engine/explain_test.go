package engine

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Recorded output of engines on standard error.
const (
	stderrLocked = "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock file with `pulumi cancel`.\n" +
		"  s3://v3-backend-pulumi-state-123456789012/.pulumi/locks/organization/v3-backend/dev/6899e97b.json?no_tmp_dir=true: created by ci runner@host-1 (pid 3545) at 2026-11-23T16:45:26Z\n"
	stderrService   = "error: [409] Conflict: Another update is currently in progress.\n"
	stderrNoStack   = "error: no stack named 'dev' found\n"
	stderrNoPhrase  = "error: getting stack configuration: get stack secrets manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables\n"
	stderrWrong     = "error: getting stack configuration: get stack secrets manager: incorrect passphrase\n"
	stderrTruncated = "error: failed to load checkpoint: place 1: unexpected end of JSON input\n"
	stderrForeign   = "error: failed to load checkpoint: unsupported checkpoint version 99\n"
	stderrIntegrity = "error: The Pulumi CLI encountered a snapshot integrity error. This is a bug!\n================\n" +
		"Env Vars:          PULUMI_SKIP_UPDATE_CHECK=true\n" +
		"Error:             snapshot integrity failure; refusing to use it: child resource urn:a refers to missing parent urn:b\n" +
		"Stack Trace:\n\ngoroutine 1 [running]:\nruntime/debug.Stack()\n"
	stderrRefused = `error: read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): operation error S3: GetObject, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , HostID: , request send failed, Get "http://127.0.0.1:9/": dial tcp 127.0.0.1:9: connect: connection refused` + "\n"
	stderrLogin   = "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions\n"
)

func TestExplain(t *testing.T) {
	h := &Handle{stack: Stack{Name: "dev", BackendURL: "s3://user:hush@bucket"}}
	since := time.Date(2026, 11, 23, 16, 45, 26, 0, time.UTC)
	for name, c := range map[string]struct {
		stderr string
		code   int
		want   error
	}{
		"locked": {stderrLocked, 1, &ConcurrentUpdateError{Stack: "dev", Holders: []Holder{{
			User: "ci runner", Host: "host-1", PID: 3545, Since: since,
			Lock: "s3://v3-backend-pulumi-state-123456789012/.pulumi/locks/organization/v3-backend/dev/6899e97b.json",
		}}}},
		"locked by a service": {stderrService, 1, &ConcurrentUpdateError{Stack: "dev"}},
		"no stack":            {stderrNoStack, 1, &NoStackError{Stack: "dev"}},
		"no stack, by code":   {"", 6, &NoStackError{Stack: "dev"}},
		"no passphrase":       {stderrNoPhrase, 1, &PassphraseError{Stack: "dev", Missing: true}},
		"another passphrase":  {stderrWrong, 1, &PassphraseError{Stack: "dev"}},
		"truncated state":     {stderrTruncated, 1, &StateError{Stack: "dev", Reason: "it is empty or truncated (unexpected end of JSON input)"}},
		"foreign state": {stderrForeign, 1, &StateError{Stack: "dev", Reason: "unsupported checkpoint version 99",
			OtherVersion: true}},
		"inconsistent state": {stderrIntegrity, 1, &StateError{Stack: "dev",
			Reason: "child resource urn:a refers to missing parent urn:b"}},
		"backend away": {stderrRefused, 1, &BackendError{URL: "s3://user:xxxxx@bucket",
			Reason: `operation error S3: GetObject, exceeded maximum number of attempts, 3, https response error StatusCode: 0, RequestID: , HostID: , request send failed, Get "http://127.0.0.1:9/": dial tcp 127.0.0.1:9: connect: connection refused`}},
		"not logged in": {stderrLogin, 3, &BackendError{URL: "s3://user:xxxxx@bucket",
			Reason: "PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions"}},
		"something else": {"error: unknown flag: --nonsense\n", 1, &FailedError{Failure{Run: "up",
			Resources: []ResourceError{{Message: "unknown flag: --nonsense"}}}}},
		"killed": {"", -1, &FailedError{Failure{Run: "up",
			Resources: []ResourceError{{Message: "the engine ended early: signal: killed"}}, Killed: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			run := &process{stderr: c.stderr, code: c.code, failure: "signal: killed"}
			err := h.explain(t.Context(), errors.New("exit status 1"), run, Failure{Run: "up"})
			require.Equal(t, c.want, err)
			hint, hinted := err.(interface{ Hint() string })
			require.True(t, hinted)
			require.NotEmpty(t, hint.Hint())
			require.NotContains(t, err.Error(), "hush")
		})
	}
}

func TestInterruptionPrecedesOtherErrors(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	interrupt(errors.New("SIGTERM"))
	left := []Pending{{Type: "aws:rds/instance:Instance", Name: "database", Op: "creating"}}
	err := (&Handle{}).explain(ctx, errors.New("exit status 1"), &process{}, Failure{Run: "up",
		Summary: Summary{Changes: map[string]int{"create": 3, "same": 2}}, Pending: left})
	require.EqualError(t, err, "up: SIGTERM, after 3 changes")
	require.Equal(t, "the outcome of aws:rds/instance:Instance database (creating) is unknown: run the same command again; it checks the account and continues from there",
		err.(*InterruptedError).Hint())
}

func TestFailureListsItsResources(t *testing.T) {
	err := &FailedError{Failure{Run: "destroy", Resources: []ResourceError{
		{URN: urnOne, Type: "aws:s3/bucketV2:BucketV2", Name: "logs", Message: "BucketNotEmpty"}, {Message: "no credentials"},
	}}}
	require.EqualError(t, err, "destroy: aws:s3/bucketV2:BucketV2 logs: BucketNotEmpty; no credentials")
}
