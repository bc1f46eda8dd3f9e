package record

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func deployment(id string, outcome Outcome, verified bool, digest string) Deployment {
	return Deployment{ID: id, Stack: "staging", Outcome: outcome, Verified: verified, Image: Image{Digest: digest}, Started: time.Unix(0, 0).UTC()}
}

func TestDirListsTheNewestFirst(t *testing.T) {
	store := Dir(t.TempDir())
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

func TestDirNamesTheRecordThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "staging"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "staging", "cut.json"), []byte(`{"id":`), 0o600))
	_, err := Dir(dir).List(t.Context(), "staging", 10)
	require.ErrorContains(t, err, "read the record cut.json")
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

func TestRunningImage(t *testing.T) {
	good := deployment("3", Succeeded, true, "good")
	good.Image.Reference = "repo@good"
	back := deployment("4", Failed, false, "bad")
	back.RolledBackTo = &Image{Reference: "repo@good"}
	early := deployment("4", Failed, false, "bad")
	early.Phases = []Phase{{Name: "migrate", Outcome: Failed}}
	late := deployment("4", Failed, false, "bad")
	late.Phases = []Phase{{Name: "migrate", Outcome: Succeeded}, {Name: "rollout", Outcome: Failed}}
	for name, test := range map[string]struct {
		records []Deployment
		want    string
	}{
		"verified":                        {[]Deployment{good}, "repo@good"},
		"rolled back":                     {[]Deployment{back, good}, "repo@good"},
		"failed before its rollout":       {[]Deployment{early, good}, "repo@good"},
		"failed after it, and not undone": {[]Deployment{late, good}, ""},
		"never deployed":                  {nil, ""},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.want, RunningImage(test.records)) })
	}
}
