package target

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/blob"
)

func TestRecordsAreStoredBesideTheState(t *testing.T) {
	t.Setenv("HOME", "/home/tester")
	own := location{bucket: "own", region: "us-east-1"}
	for backend, want := range map[string]location{
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
			found, err := locateBesideState(backend, own)
			require.NoError(t, err)
			require.Equal(t, want, found)
		})
	}
	for _, backend := range []string{"s3://theirs/a?prefix=x/", "s3://theirs?key=x&region=eu-west-1"} {
		found, err := locateBesideState(backend, own)
		require.NoError(t, err, "the state can be read")
		_, _, err = found.open(aws.Config{Region: "us-east-1"}, false).locks().TryAcquire(t.Context(), lock.Holder{Stack: "staging"})
		require.ErrorContains(t, err, "under which no lock can guard the state")
	}
	_, err := locateBesideState("s3://%zz", own)
	require.EqualError(t, err, "PULUMI_BACKEND_URL is not a URL")
	opened := location{bucket: "b", prefix: "p", region: "eu-west-1"}.open(aws.Config{Region: "us-east-1"}, false)
	records := opened.records().Files.(blob.Bucket)
	require.Equal(t, "eu-west-1", records.Client.Options().Region)
	require.Equal(t, "p", records.Prefix)
	require.Equal(t, "p", opened.locks().(lock.Bucket).Prefix)
	require.Equal(t, lock.Directory{Dir: "/d/locks", Clock: clock.Real()}, location{dir: "/d"}.locks())
}

// --region chooses where a command reads, not where the account stores its state.
func TestStateRegion(t *testing.T) {
	for name, test := range map[string]struct {
		backend, bucket string
	}{
		"its own":               {"", "v3-backend-pulumi-state-123456789012"},
		"a store without files": {"gs://bucket", "v3-backend-pulumi-state-123456789012"},
		"another bucket":        {"s3://theirs", ""},
		"a directory":           {"file:///tmp/state", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PULUMI_BACKEND_URL", test.backend)
			env, err := environment.Load("../..", "staging")
			require.NoError(t, err)
			ref := RefOf(env)
			ref.Region = "eu-central-1"
			opened, err := Open(t.Context(), Options{Dir: "../..", StateDir: t.TempDir()}, ref, env)
			require.NoError(t, err)
			require.Equal(t, "eu-central-1", opened.AWS.Region)
			require.Equal(t, test.bucket, opened.State.Bucket)
			if test.backend == "" {
				require.Equal(t, "s3://v3-backend-pulumi-state-123456789012?region=us-east-1&awssdk=v2", opened.State.URL)
				require.Equal(t, "awskms://alias/v3-backend-pulumi?region=us-east-1", opened.State.SecretsProvider)
			}
		})
	}
}

// Under a lock the engine reaches the same bucket and prefix through another endpoint, which has the credentials.
func TestGatedURL(t *testing.T) {
	const endpoint = "http://127.0.0.1:4321/SECRET"
	const through = "endpoint=http%3A%2F%2F127.0.0.1%3A4321%2FSECRET&hostname_immutable=true"
	for backend, want := range map[string]string{
		"s3://own?region=eu-west-1&awssdk=v2": "s3://own?awssdk=v2&" + through + "&region=eu-west-1&use_path_style=true",
		"s3://theirs/a/b":                     "s3://theirs/a/b?" + through + "&region=us-east-1&use_path_style=true",
		"s3://theirs?profile=p&endpoint=minio:9000&s3ForcePathStyle=false": "s3://theirs?" + through + "&region=us-east-1&use_path_style=true",
		"s3://theirs?ssetype=aws:kms&fips=true":                            "s3://theirs?" + through + "&region=us-east-1&ssetype=aws%3Akms&use_path_style=true",
		"gs://bucket":                                                      "",
		"file:///var/state":                                                "",
		"https://api.pulumi.com":                                           "",
		"":                                                                 "",
	} {
		require.Equal(t, want, gatedURL(backend, "us-east-1", endpoint), backend)
	}
	require.Empty(t, gatedURL("s3://own", "us-east-1", ""), "no keeper")
}
