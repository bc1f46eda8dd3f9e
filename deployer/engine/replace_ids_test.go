package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const twoDatabases = `{"version":4,"features":["refreshBeforeUpdate"],"deployment":{"manifest":{"number":12345678901234567890},"resources":[
{"urn":"urn:db","id":"db-OLD","inputs":{"identifier":"db"},"outputs":{"id":"db-OLD","nested":[{"of":"db-OLD"}],"port":5432,"password":{"4dabf18193072939515e22adb298388d":"x","ciphertext":"v1:a"}}},
{"urn":"urn:db","id":"db-GONE","delete":true},
{"urn":"urn:task","id":"task","inputs":{"database":"db-OLD"}}]}}`

func TestReplaceIDsChangesOnlyTheResourceItself(t *testing.T) {
	doc, err := decodeExport([]byte(twoDatabases))
	require.NoError(t, err)
	changed, err := doc.replaceIDs(map[string]string{"urn:db": "db-NEW"})
	require.NoError(t, err)
	require.True(t, changed)
	edited, err := doc.encode()
	require.NoError(t, err)
	require.JSONEq(t, `{"version":4,"features":["refreshBeforeUpdate"],"deployment":{"manifest":{"number":12345678901234567890},"resources":[
{"urn":"urn:db","id":"db-NEW","inputs":{"identifier":"db"},"outputs":{"id":"db-NEW","nested":[{"of":"db-NEW"}],"port":5432,"password":{"4dabf18193072939515e22adb298388d":"x","ciphertext":"v1:a"}}},
{"urn":"urn:db","id":"db-GONE","delete":true},
{"urn":"urn:task","id":"task","inputs":{"database":"db-OLD"}}]}}`, string(edited))
	require.Contains(t, string(edited), "12345678901234567890", "numbers stay as they were written")

	changed, err = doc.replaceIDs(map[string]string{"urn:db": "db-NEW"})
	require.NoError(t, err)
	require.False(t, changed)
	_, err = doc.replaceIDs(map[string]string{"urn:none": "x"})
	require.EqualError(t, err, `the state has no resource ["urn:none"]`)
	require.NoError(t, doc.setProperty("urn:db", "finalSnapshotIdentifier", "db-final-2"))
	edited, err = doc.encode()
	require.NoError(t, err)
	require.Contains(t, string(edited), `"inputs":{"finalSnapshotIdentifier":"db-final-2","identifier":"db"},`)
	require.Contains(t, string(edited), `"outputs":{"finalSnapshotIdentifier":"db-final-2","id":"db-NEW",`)
	require.EqualError(t, doc.setProperty("urn:none", "x", "y"), `the state has no resource "urn:none"`)
	_, err = decodeExport([]byte(`{"version":3,`))
	require.ErrorContains(t, err, "unexpected end of JSON input")
}
