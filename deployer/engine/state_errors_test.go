package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// project returns a stack with the backend.
func project(t *testing.T, backend string) Stack {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "Pulumi.yaml"), projectFile)
	return Stack{Project: dir, Name: "dev", Env: map[string]string{"PULUMI_BACKEND_URL": backend}}
}

// The error names the object, and the hint restores a version of it.
func TestMissingInABucket(t *testing.T) {
	err := project(t, "s3://bucket/team?region=eu-west-1&awssdk=v2").MissingError("the backend does not know it")
	require.EqualError(t, err, "the state of stack dev is lost (s3://bucket/team/.pulumi/stacks/proj/dev.json): the backend does not know it")
	require.Contains(t, err.Hint(), "`aws s3api list-object-versions --bucket bucket --prefix team/.pulumi/stacks/proj/dev.json --region eu-west-1`")
	require.Contains(t, err.Hint(), "`aws s3 cp state.json s3://bucket/team/.pulumi/stacks/proj/dev.json --region eu-west-1` restores it")

	err = project(t, "https://api.pulumi.com").MissingError("gone")
	require.EqualError(t, err, "the state of stack dev is lost: gone")
	require.Contains(t, err.Hint(), "restore an earlier version of the state's object in the backend; ")
}

// The newest complete backup counts, but one with resources before one without.
func TestNewestBackupFile(t *testing.T) {
	dir := t.TempDir()
	stack := project(t, "file://"+dir)
	state := func(day int, resources string) string {
		return fmt.Sprintf(`{"version":3,"checkpoint":{"latest":{"manifest":{"time":"2026-01-%02dT00:00:00Z"},"resources":[%s]}}}`, day, resources)
	}
	one, two := `{"urn":"urn:pulumi:dev::proj::t:i:T::a","type":"t:i:T"}`, `{"urn":"urn:pulumi:dev::proj::t:i:T::b","type":"t:i:T"}`
	keep := func(name, content string) string {
		path := filepath.Join(dir, ".pulumi", name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		write(t, path, content)
		return path
	}
	require.Empty(t, stack.MissingError("gone").Backup)
	require.Equal(t, "there is no complete backup beside it: restore the file from another backup; where there is none, `deployer import --env dev --take` imports "+
		"what exists in the account into a new state", stack.MissingError("gone").Hint())

	empty := keep("stacks/proj/dev.json.bak", state(1, ""))
	require.Equal(t, empty, stack.MissingError("gone").Backup)
	known := keep("history/proj/dev/dev-2.checkpoint.json", state(3, one+","+two))
	keep("backups/proj/dev/dev.1.json", state(2, one))
	keep("backups/proj/dev/dev.3.json", state(4, one)[:90])
	keep("backups/proj/dev/dev.4.json", `{"version":3,"checkpoint":{}}`)
	keep("stacks/proj/dev.json.bak", state(5, ""))
	keep("backups/proj/other/other.5.json", state(6, one))
	keep("backups/proj/dev/dev.7.json", state(7, one+","+one)) // inconsistent
	require.Equal(t, known, stack.MissingError("gone").Backup)
}
