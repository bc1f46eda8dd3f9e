package command

import (
	"bytes"
	"os"
	"os/exec"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

// TestLogOfTheSDK reads a lock whose object has no checksum, which the SDK logs: only --debug shows that.
func TestLogOfTheSDK(t *testing.T) {
	t.Parallel()
	const bucket = "v3-backend-pulumi-state-" + moto.Account
	cfg := moto.Config(t, "us-east-1")
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	_, err = lock.Acquire(t.Context(), lock.Bucket{Client: client, Name: bucket, Clock: clock.Real()},
		lock.Holder{ID: "1", Environment: "development", Stack: "dev", Command: "up", Host: "elsewhere"}, lock.Options{Clock: clock.Real()})
	require.NoError(t, err)
	for name, test := range map[string]struct {
		flags []string
		want  func(t require.TestingT, s, contains any, msgAndArgs ...any)
	}{
		"by default": {nil, require.NotContains},
		"verbose":    {[]string{"--verbose"}, require.NotContains},
		"debug":      {[]string{"--debug"}, require.Contains},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command("deployer", append([]string{"lock", "status", "--env", "dev", "--endpoint-url", aws.ToString(cfg.BaseEndpoint),
				"--dir", projectRoot(t), "--state-dir", t.TempDir()}, test.flags...)...)
			cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test")
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, _ := cmd.Output()
			require.Contains(t, string(out), "development", stderr.String())
			test.want(t, stderr.String(), "SDK 2")
		})
	}
}
