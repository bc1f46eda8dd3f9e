package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadState(t *testing.T) {
	const exported = `{"version": 3, "deployment": {"manifest": {"time": "2026-01-02T03:04:05Z"}, "resources": [
		{"urn": "urn:pulumi:dev::proj::pulumi:pulumi:Stack::proj-dev", "type": "pulumi:pulumi:Stack", "outputs": {
			"url": "https://dev-api.hyperchonk.com",
			"list": ["a", {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}]}},
		{"urn": "urn:pulumi:dev::proj::test:index:Thing::one", "type": "test:index:Thing", "id": "i-1", "custom": true,
		 "parent": "urn:pulumi:dev::proj::pulumi:pulumi:Stack::proj-dev", "protect": true}],
		"pending_operations": [{"type": "creating", "resource": {"urn": "urn:pulumi:dev::proj::test:index:Thing::two",
		 "type": "test:index:Thing"}}]}}`
	doc, err := decodeExport([]byte(exported))
	require.NoError(t, err)
	state, err := doc.state()
	require.NoError(t, err)
	const stack = "urn:pulumi:dev::proj::pulumi:pulumi:Stack::proj-dev"
	require.Equal(t, State{
		Updated: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Resources: []Resource{
			{URN: stack, Type: "pulumi:pulumi:Stack", Name: "proj-dev"},
			{URN: urnOne, Type: "test:index:Thing", Name: "one", ID: "i-1", Parent: stack, Protected: true, Dependencies: []string{stack}},
		},
		Pending: []Pending{{URN: urnTwo, Type: "test:index:Thing", Name: "two", Op: "creating"}},
		Outputs: map[string]Output{
			"url":  {Value: "https://dev-api.hyperchonk.com"},
			"list": {Value: []any{"a", Masked}, Secret: true},
		},
	}, state)
	require.Equal(t, "https://dev-api.hyperchonk.com", state.Text("url"))
	require.Empty(t, state.Text("list")+state.Text("none"))
	require.True(t, state.Resources[0].Component())
	require.False(t, state.Resources[1].Component())
}

// A state in a directory is read without the engine, and is what the engine exports.
func TestStateFileIsWhatTheEngineExports(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	h := l.open(t)
	require.Nil(t, h.readStateFile(), "a stack without resources is read by the engine")
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	doc := h.readStateFile()
	require.NotNil(t, doc)
	exported, err := h.stateCommand(t.Context(), nil, "stack", "export", "--stack", l.stack.Name)
	require.NoError(t, err)
	content, err := doc.encode()
	require.NoError(t, err)
	require.JSONEq(t, exported, string(content))

	write(t, l.stateFile()+".gz", "")
	require.Nil(t, h.readStateFile(), "the engine would read the compressed one")
}

// After a run that changed nothing only the manifest differs: the rest is not decoded again, and yet can be edited.
func TestStateWithAnotherManifest(t *testing.T) {
	const first = `{"version":3,"checkpoint":{"stack":"dev","latest":{"manifest":{"time":"2026-01-02T03:04:05Z"},"resources":[` +
		`{"urn":"urn:pulumi:dev::proj::pulumi:pulumi:Stack::proj-dev","type":"pulumi:pulumi:Stack"}]}}}`
	earlier, _, err := decodeState([]byte(first), nil)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		old, now string
		same     bool
	}{
		"another time":         {`"2026-01-02T03:04:05Z"}`, `"2027-01-02T03:04:05Z","version":"v3"}`, true},
		"nothing":              {"dev", "dev", true},
		"a resource":           {`proj-dev"`, `proj-dev","outputs":{"url":"https://dev-api.hyperchonk.com"}`, false},
		"an operation as well": {`"2026-01-02T03:04:05Z"}`, `"2027-01-02T03:04:05Z"},"pending_operations":[]`, false},
		"the stack":            {`"stack":"dev"`, `"stack":"other"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			content := []byte(strings.Replace(first, test.old, test.now, 1))
			doc := earlier.withManifestOf(content)
			require.Equal(t, test.same, doc != nil)
			decoded, written, err := decodeState(content, earlier)
			require.NoError(t, err)
			fresh, freshWritten, err := decodeState(content, nil)
			require.NoError(t, err)
			require.Equal(t, freshWritten, written)
			for _, d := range []*stateDocument{decoded, fresh} {
				require.NoError(t, d.setRestoredFrom("then"))
			}
			want, err := fresh.encode()
			require.NoError(t, err)
			got, err := decoded.encode()
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(got))
			require.NotContains(t, string(earlier.Resources[0]), "then", "an edit of the one leaves the other")
		})
	}
	require.Nil(t, earlier.withManifestOf(nil))
	require.Nil(t, earlier.withManifestOf([]byte(strings.Replace(first, `Z"}`, `Z"`, 1))), "no JSON")
}

// What is certain without the engine is what the engine reports.
func TestAStackWithoutFilesIsAbsent(t *testing.T) {
	l := newHarness(t, nil)
	l.stack.MustExist = true
	stacks := filepath.Dir(filepath.Dir(l.stateFile()))
	require.NoError(t, os.MkdirAll(filepath.Join(stacks, "proj"), 0o700))
	write(t, filepath.Join(stacks, "proj", "devel.json"), "{}")
	require.True(t, l.stack.isAbsent())
	require.NoError(t, l.stack.prepare())
	_, err := (&Handle{find: func() (*Engine, error) { return l.engine, nil }, stack: l.stack}).stateCommand(t.Context(), nil, "stack", "export", "--stack", l.stack.Name)
	require.True(t, isError[*NoStackError](err), "%v", err)

	for _, file := range []string{"dev.json", "proj/dev.json", "proj/dev.json.gz", "proj/dev.json.zst", "proj/dev.json.bak"} {
		path := filepath.Join(stacks, filepath.FromSlash(file))
		write(t, path, "{}")
		require.False(t, l.stack.isAbsent(), file)
		require.NoError(t, os.Remove(path))
	}
	require.True(t, l.stack.isAbsent())
	l.stack.BackendURL = "s3://bucket"
	require.False(t, l.stack.isAbsent(), "only the engine reads a bucket")
	l.stack.BackendURL = "file://" + filepath.Join(l.stack.Project, "Pulumi.yaml")
	require.False(t, l.stack.isAbsent(), "a directory that cannot be read")
}
