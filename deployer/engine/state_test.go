package engine

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
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

// What has not changed since an earlier read is not decoded again, and the document is the same as without.
func TestStateIsDecodedLikeWithoutAnEarlierOne(t *testing.T) {
	const stack = `{"urn":"urn:pulumi:dev::proj::pulumi:pulumi:Stack::proj-dev","type":"pulumi:pulumi:Stack","outputs":{"list":["a",{"b":"]"}]}}`
	const one = `{"urn":"` + urnOne + `","type":"test:index:Thing","id":"1","custom":true}`
	const two = `{"urn":"` + urnTwo + `","type":"test:index:Thing","id":"2","custom":true}`
	state := func(resources string) string {
		return `{"version":3,"checkpoint":{"stack":"dev","latest":{"manifest":{"time":"2026-01-02T03:04:05Z"},"resources":[` + resources +
			`],"pending_operations":[{"type":"creating","resource":{"urn":"` + urnTwo + `"}}]}}}`
	}
	first := state(stack + "," + one + "," + two)
	earlier, _, err := decodeState([]byte(first), nil)
	require.NoError(t, err)
	unchanged, err := decodeDocument([]byte(first))
	require.NoError(t, err)
	isOne := func(raw json.RawMessage) bool { return string(raw) == one }
	for name, content := range map[string]string{
		"the same":             first,
		"another time":         strings.Replace(first, "2026", "2027", 1),
		"another order":        state(stack + "," + two + "," + one),
		"a changed resource":   state(stack + "," + strings.Replace(one, `"1"`, `"3"`, 1) + "," + two),
		"an added resource":    state(stack + "," + one + "," + strings.ReplaceAll(one, "one", "three") + "," + two),
		"a removed resource":   state(stack + "," + two),
		"a longer resource":    state(stack + "," + strings.Replace(one, `true}`, `true,"protect":true}`, 1) + "," + two),
		"no resource":          state(""),
		"no list":              strings.Replace(first, `"resources"`, `"things"`, 1),
		"another list before":  strings.Replace(first, `"manifest"`, `"metadata":{"resources":[1]},"manifest"`, 1),
		"with spaces":          strings.ReplaceAll(first, `,`, `, `),
		"what is no resource":  state(stack + ",7"),
		"a resource twice":     state(stack + "," + one + "," + one),
		"what ends in a list":  first[:strings.Index(first, one)],
		"what ends in a comma": state(stack + ","),
		"no comma":             state(stack + " " + one),
		"what ends early":      first[:len(first)-1],
		"nothing":              "",
	} {
		t.Run(name, func(t *testing.T) {
			want, wantErr := decodeDocument([]byte(content))
			if wantErr == nil {
				_, wantErr = want.verify()
			}
			got, _, err := decodeState([]byte(content), earlier)
			if wantErr != nil {
				require.EqualError(t, err, wantErr.Error())
				return
			}
			require.NoError(t, err)
			wantState, wantErr := want.state()
			gotState, err := got.state()
			require.Equal(t, wantErr, err)
			require.Equal(t, wantState, gotState)
			read := *got
			for _, d := range []*stateDocument{want, got} {
				require.NoError(t, d.setRestoredFrom("then"))
			}
			wanted, err := want.encode()
			require.NoError(t, err)
			encoded, err := got.encode()
			require.NoError(t, err)
			require.JSONEq(t, string(wanted), string(encoded))
			if strings.HasPrefix(name, "another") && !strings.Contains(name, "list") {
				require.Same(t, &earlier.Resources[1][0], &read.Resources[slices.IndexFunc(read.Resources, isOne)][0], "it is not decoded again")
			}
			require.Equal(t, unchanged.Resources, earlier.Resources, "neither a read nor an edit changes the earlier one")
		})
	}
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
