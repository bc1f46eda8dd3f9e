package engine

import (
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
	require.JSONEq(t, exported, string(doc.exported))

	write(t, l.stateFile()+".gz", "")
	require.Nil(t, h.readStateFile(), "the engine would read the compressed one")
}
