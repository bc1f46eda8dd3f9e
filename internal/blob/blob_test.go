package blob

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/moto"
)

// stores runs a test with every implementation of Store, in a place that exists and in one that does not.
func stores(t *testing.T, test func(t *testing.T, store, nowhere Store)) {
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		test(t, Dir(dir), Dir(filepath.Join(dir, "nowhere")))
	})
	t.Run("bucket", func(t *testing.T) {
		client := s3.NewFromConfig(moto.Config(t, "us-east-1"), func(o *s3.Options) { o.UsePathStyle = true })
		_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("state")})
		require.NoError(t, err)
		test(t, Bucket{Client: client, Name: "state", Prefix: "a/b"}, Bucket{Client: client, Name: "nowhere"})
	})
}

func TestStore(t *testing.T) {
	stores(t, func(t *testing.T, store, nowhere Store) {
		for _, s := range []Store{store, nowhere} {
			_, err := s.Get(t.Context(), "deployments/staging/1.json")
			require.ErrorIs(t, err, fs.ErrNotExist)
			none, err := s.List(t.Context(), "deployments/staging")
			require.NoError(t, err)
			require.Empty(t, none)
		}
		for _, key := range []string{"2", "1", "3"} {
			require.NoError(t, store.Put(t.Context(), "deployments/staging/"+key+".json", []byte("first "+key)))
		}
		require.NoError(t, store.Put(t.Context(), "deployments/staging/2.json", []byte("second")))
		require.NoError(t, store.Put(t.Context(), "deployments/staging-2/4.json", []byte("another folder")))
		require.NoError(t, store.Put(t.Context(), "deployments/staging/below/5.json", []byte("a folder below")))

		content, err := store.Get(t.Context(), "deployments/staging/2.json")
		require.NoError(t, err)
		require.Equal(t, "second", string(content))
		keys, err := store.List(t.Context(), "deployments/staging")
		require.NoError(t, err)
		require.Equal(t, []string{"deployments/staging/1.json", "deployments/staging/2.json", "deployments/staging/3.json"}, keys)
	})
}

func TestLocation(t *testing.T) {
	require.Equal(t, filepath.FromSlash("/var/state/deployments/staging/1.json"), Dir("/var/state").Location("deployments/staging/1.json"))
	require.Equal(t, "s3://state/a/deployments/staging/1.json", Bucket{Name: "state", Prefix: "a"}.Location("deployments/staging/1.json"))
}

func TestDirErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorContains(t, Dir(file).Put(t.Context(), "a/1.json", nil), file)
	_, err := Dir(file).List(t.Context(), "a")
	require.ErrorContains(t, err, file)
	require.False(t, errors.Is(err, fs.ErrNotExist))
}

// A Put that was killed leaves a temporary file, which is no record.
func TestDirListsNoTemporaryFiles(t *testing.T) {
	dir := Dir(t.TempDir())
	require.NoError(t, dir.Put(t.Context(), "a/1.json", []byte("{}")))
	require.NoError(t, os.WriteFile(dir.Location("a/.1.json123"), []byte("{"), 0o600))
	keys, err := dir.List(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, []string{"a/1.json"}, keys)
}
