package main

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
)

func TestRecordsLieBesideTheState(t *testing.T) {
	t.Setenv("HOME", "/home/tester")
	own := shelf{bucket: "own", region: "us-east-1"}
	for backend, want := range map[string]shelf{
		"":                               own,
		"gs://bucket":                    own,
		"azblob://container":             own,
		"https://api.pulumi.com":         own,
		"file:///var/state":              {dir: "/var/state"},
		"file:///var/state?no_tmp_dir=1": {dir: "/var/state"},
		"file://~/state":                 {dir: "/home/tester/state"},
		"s3://theirs":                    {bucket: "theirs", region: "us-east-1"},
		"s3://theirs/a/b/?awssdk=v2":     {bucket: "theirs", prefix: "a/b", region: "us-east-1"},
		"s3://theirs/a?region=eu-west-1": {bucket: "theirs", prefix: "a", region: "eu-west-1"},
		"s3://own?region=ap-northeast-1": {bucket: "own", region: "ap-northeast-1"},
	} {
		t.Run(backend, func(t *testing.T) {
			found, err := besideState(backend, own)
			require.NoError(t, err)
			require.Equal(t, want, found)
		})
	}
	_, err := besideState("s3://%zz", own)
	require.EqualError(t, err, "PULUMI_BACKEND_URL is no URL")
	opened := shelf{bucket: "b", prefix: "p", region: "eu-west-1"}.open(aws.Config{Region: "us-east-1"}, false)
	records := opened.records().(history.Bucket)
	require.Equal(t, "eu-west-1", records.Client.Options().Region)
	require.Equal(t, "p", records.Prefix)
	require.Equal(t, "p", opened.locks().(lock.Bucket).Prefix)
	require.Equal(t, lock.Directory{Dir: "/d/locks", Clock: clock.Real()}, shelf{dir: "/d"}.locks())
}

// --region says where to look, not where the account keeps its state.
func TestTheStateStaysInItsRegion(t *testing.T) {
	for name, test := range map[string]struct {
		backend, bucket string
	}{
		"its own":             {"", "v3-backend-pulumi-state-123456789012"},
		"what keeps no files": {"gs://bucket", "v3-backend-pulumi-state-123456789012"},
		"another bucket":      {"s3://theirs", ""},
		"a directory":         {"file:///tmp/state", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PULUMI_BACKEND_URL", test.backend)
			s := settings{dir: "..", stateDir: t.TempDir(), name: "staging", region: "eu-central-1"}
			env, err := s.environment()
			require.NoError(t, err)
			p, err := s.open(t.Context(), accountOf(env))
			require.NoError(t, err)
			require.Equal(t, "eu-central-1", p.aws.Region)
			require.Equal(t, test.bucket, p.state.bucket)
			if test.backend == "" {
				require.Equal(t, "s3://v3-backend-pulumi-state-123456789012?region=us-east-1&awssdk=v2", p.state.url)
				require.Equal(t, "awskms://alias/v3-backend-pulumi?region=us-east-1", p.state.secrets)
			}
		})
	}
}
