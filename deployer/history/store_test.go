package history

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/blob"
	"github.com/balancer/v3-backend-infra/internal/moto"
)

func deployment(id string, outcome Outcome, verified bool, digest string) Deployment {
	return Deployment{ID: id, Stack: "staging", Outcome: outcome, Verified: verified, Image: Image{Digest: digest}, Started: time.Unix(0, 0).UTC()}
}

func TestListReturnsTheNewestFirst(t *testing.T) {
	store := Store{blob.Dir(t.TempDir())}
	older, newer := deployment("20260101-000000-aaaa", Succeeded, true, "a"), deployment("20260102-000000-bbbb", Failed, false, "b")
	require.NoError(t, store.Save(t.Context(), newer))
	require.NoError(t, store.Save(t.Context(), older))
	found, err := store.List(t.Context(), "staging", 10)
	require.NoError(t, err)
	require.Equal(t, []Deployment{newer, older}, found)

	none, err := store.List(t.Context(), "production", 10)
	require.NoError(t, err)
	require.Empty(t, none)
}

// pairs answers a read once two have started.
type pairs struct {
	blob.Dir
	started chan struct{}
}

func (p pairs) Get(ctx context.Context, key string) ([]byte, error) {
	select {
	case p.started <- struct{}{}:
	case <-p.started:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.Dir.Get(ctx, key)
}

// In a bucket each record takes a request: a hundred in sequence would delay each deployment by seconds.
func TestListReadsRecordsAtTheSameTime(t *testing.T) {
	dir := blob.Dir(t.TempDir())
	older, newer := deployment("20260101-000000-aaaa", Succeeded, true, "a"), deployment("20260102-000000-bbbb", Failed, false, "b")
	oldest := deployment("20251231-000000-cccc", Succeeded, true, "c")
	for _, d := range []Deployment{oldest, older, newer} {
		require.NoError(t, Store{dir}.Save(t.Context(), d))
	}
	limited, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found, err := Store{pairs{dir, make(chan struct{})}}.List(limited, "staging", 2)
	require.NoError(t, err)
	require.Equal(t, []Deployment{newer, older}, found)
}

func TestLastVerified(t *testing.T) {
	good := deployment("2", Succeeded, true, "good")
	records := []Deployment{
		deployment("5", Failed, false, "did not answer"), deployment("4", Succeeded, false, "health was skipped"),
		deployment("3", Interrupted, false, "interrupted"), good, deployment("1", Succeeded, true, "older"),
	}
	require.Equal(t, &good, LastVerified(records))
	require.Nil(t, LastVerified(records[:3]))
	require.Nil(t, LastVerified(nil))
}

// What was deployed before a destroy no longer runs, and is not returned to.
func TestADestroyEndsWhatWasDeployedBefore(t *testing.T) {
	good := deployment("1", Succeeded, true, "good")
	good.Image.Reference, good.TaskDefinitions = "repo@good", map[string]string{"api": "api:1"}
	good.Restore = &DatabaseSwap{}
	destroyed := func(outcome Outcome, deleted int) Deployment {
		return Deployment{ID: "2", Kind: Destroy, Outcome: outcome, Deleted: deleted}
	}
	for name, test := range map[string]struct {
		destroy Deployment
		ends    bool
	}{
		"all of it":                    {destroyed(Succeeded, 100), true},
		"a part":                       {destroyed(Interrupted, 1), true},
		"how much is unknown":          {destroyed(Crashed, 0), true},
		"it runs, or was killed":       {destroyed(Running, 0), true},
		"it failed before it began":    {destroyed(Failed, 0), false},
		"it was interrupted too early": {destroyed(Interrupted, 0), false},
	} {
		t.Run(name, func(t *testing.T) {
			records := []Deployment{deployment("3", Failed, false, "new"), test.destroy, good}
			require.Equal(t, test.ends, LastDestroy(records) != nil)
			require.Equal(t, test.ends, LastVerified(records) == nil)
			require.Equal(t, test.ends, VerifiedImage(records) == "")
			require.Equal(t, test.ends, LastRevisions(records) == nil)
			require.Equal(t, test.ends, LastRestore(records) == nil)
			require.Equal(t, test.ends, RollbackCandidate(records, "new") == nil)
		})
	}
}

func TestVerifiedImage(t *testing.T) {
	good := deployment("3", Succeeded, true, "good")
	good.Image.Reference = "repo@good"
	back := deployment("4", Failed, false, "bad")
	back.RolledBackTo = &Image{Reference: "repo@good"}
	early := deployment("4", Failed, false, "bad")
	early.Phases = []Phase{{Name: "migrate", Outcome: Failed}}
	late := deployment("4", Failed, false, "bad")
	late.Phases = []Phase{{Name: "migrate", Outcome: Succeeded}, {Name: "rollout", Outcome: Failed}}
	running, killed, unverified := late, late, late
	running.Outcome, killed.Outcome, unverified.Outcome = Running, Crashed, Succeeded
	for name, test := range map[string]struct {
		records []Deployment
		want    string
	}{
		"verified":                         {[]Deployment{good}, "repo@good"},
		"rolled back":                      {[]Deployment{back, good}, "repo@good"},
		"failed before its rollout":        {[]Deployment{early, good}, "repo@good"},
		"failed after it, not rolled back": {[]Deployment{late, good}, "repo@good"},
		"in its rollout":                   {[]Deployment{running, good}, ""},
		"killed in its rollout":            {[]Deployment{killed, good}, ""},
		"not verified":                     {[]Deployment{unverified, good}, ""},
		"never deployed":                   {nil, ""},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, VerifiedImage(test.records)) })
	}
}

func TestLastRevisions(t *testing.T) {
	good := deployment("3", Succeeded, true, "good")
	good.TaskDefinitions = map[string]string{"api": "api:3"}
	good.Phases = []Phase{{Name: "rollout", Outcome: Succeeded}}
	early := deployment("4", Failed, false, "bad")
	early.Phases = []Phase{{Name: "migrate", Outcome: Failed}, {Name: "rollout", Outcome: Skipped}}
	late := deployment("4", Failed, false, "bad")
	late.Phases = []Phase{{Name: "rollout", Outcome: Failed}}
	rolledBack := late
	rolledBack.TaskDefinitions = map[string]string{"api": "api:5"}
	for name, test := range map[string]struct {
		records []Deployment
		want    map[string]string
	}{
		"deployed":                         {[]Deployment{good}, good.TaskDefinitions},
		"failed before its rollout":        {[]Deployment{early, good}, good.TaskDefinitions},
		"failed after it, not rolled back": {[]Deployment{late, good}, nil},
		"failed after it, rolled back":     {[]Deployment{rolledBack, good}, rolledBack.TaskDefinitions},
		"never deployed":                   {nil, nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, LastRevisions(test.records)) })
	}
}

// stores runs a test with every place that records can be stored in. damage writes a file beside the records.
func stores(t *testing.T, test func(t *testing.T, store Store, damage func(id, body string))) {
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		test(t, Store{blob.Dir(dir)}, func(id, body string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "deployments", "staging", id+".json"), []byte(body), 0o600))
		})
	})
	t.Run("bucket", func(t *testing.T) {
		client := s3.NewFromConfig(moto.Config(t, "us-east-1"), func(o *s3.Options) { o.UsePathStyle = true })
		_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("state")})
		require.NoError(t, err)
		test(t, Store{blob.Bucket{Client: client, Name: "state", Prefix: "a"}}, func(id, body string) {
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String("state"), Key: aws.String("a/deployments/staging/" + id + ".json"), Body: strings.NewReader(body),
			})
			require.NoError(t, err)
		})
	})
}

func TestUnreadableRecordHidesNoOther(t *testing.T) {
	stores(t, func(t *testing.T, store Store, damage func(id, body string)) {
		good := deployment("20260101-000000-aaaa", Succeeded, true, "a")
		require.NoError(t, store.Save(t.Context(), good))
		damage("20260103-000000-cccc", `{"id":"20260103-000000-cccc","verif`)
		damage("20260102-000000-bbbb", `{"some":"other file"}`)

		found, err := store.List(t.Context(), "staging", 10)
		require.NoError(t, err)
		require.Equal(t, &good, LastVerified(found))
		unreadable := UnreadableRecords(found)
		require.Len(t, unreadable, 2)
		require.Equal(t, "20260103-000000-cccc", unreadable[0].ID)
		require.Contains(t, unreadable[0].Error, "unexpected end of JSON input")
		require.Contains(t, unreadable[1].Error, "20260102-000000-bbbb.json cannot be read: it is not a record of a deployment")

		few, err := store.List(t.Context(), "staging", 2)
		require.NoError(t, err)
		require.Len(t, few, 2)
	})
}

func TestGet(t *testing.T) {
	stores(t, func(t *testing.T, store Store, _ func(string, string)) {
		none, err := store.Get(t.Context(), "staging", "20260101-000000-aaaa")
		require.NoError(t, err)
		require.Nil(t, none)
		good := deployment("20260101-000000-aaaa", Running, false, "a")
		require.NoError(t, store.Save(t.Context(), good))
		good.Outcome = Succeeded
		require.NoError(t, store.Save(t.Context(), good), "a record is saved again as its deployment continues")
		found, err := store.Get(t.Context(), "staging", good.ID)
		require.NoError(t, err)
		require.Equal(t, &good, found)
	})
}

// An ID is no path: neither records of another stack nor other files are read.
func TestGetReadsOnlyRecordsOfTheStack(t *testing.T) {
	stores(t, func(t *testing.T, store Store, damage func(id, body string)) {
		other := deployment("20260101-000000-aaaa", Succeeded, true, "a")
		other.Stack = "dev"
		require.NoError(t, store.Save(t.Context(), other))
		require.NoError(t, store.Files.Put(t.Context(), "state.json", []byte(`{}`)))
		require.NoError(t, store.Save(t.Context(), deployment("20260101-000000-bbbb", Succeeded, true, "b")))
		damage("notes", `{}`)
		for _, id := range []string{
			"../dev/20260101-000000-aaaa", "x/../../dev/20260101-000000-aaaa", "./20260101-000000-bbbb", "../../state",
			"/20260101-000000-bbbb", `..\dev\20260101-000000-aaaa`, "..", "", "notes", "20260101-000000-bbbb\x00", "20260101-000000-bbbb\n",
			"20260101-000000-BBBB",
			"20260101-000000-bbbb/../../dev/20260101-000000-aaaa", "\xff", strings.Repeat("9", 5000),
		} {
			found, err := store.Get(t.Context(), "staging", id)
			require.NoError(t, err, "%q", id)
			require.Nil(t, found, "%q", id)
		}
	})
}

func TestRecordsAreHarmlessText(t *testing.T) {
	store := Store{blob.Dir(t.TempDir())}
	record := deployment("20260101-000000-aaaa", Failed, false, "a")
	record.Error, record.By = "::error::\x1b[2Jx\r", "##[error]"
	record.Health = []any{map[string]any{"body": "\a"}}
	record.Code = &environment.Code{Required: []string{"a\a"}}
	require.NoError(t, store.Save(t.Context(), record))
	found, err := store.Get(t.Context(), "staging", record.ID)
	require.NoError(t, err)
	require.Equal(t, `: :error::x\x0d`, found.Error)
	require.Equal(t, "# #[error]", found.By)
	require.Equal(t, []any{map[string]any{"body": `\x07`}}, found.Health)
	require.Equal(t, record.Code, found.Code, "a rollback deploys the code as it was")
}
