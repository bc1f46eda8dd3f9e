package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/blang/semver"
	"github.com/stretchr/testify/require"
)

// writeScript writes a pulumi that runs the script for every command.
func writeScript(t *testing.T, path, script string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700))
}

func TestFind(t *testing.T) {
	dir, path := t.TempDir(), t.TempDir()
	named := filepath.Join(t.TempDir(), "my-pulumi")
	t.Setenv("PATH", path)
	find := func(explicit string) (*Engine, error) {
		return Find(t.Context(), Options{Explicit: explicit, ProjectDir: dir, Home: t.TempDir()})
	}

	_, err := find("")
	require.EqualError(t, err, "no pulumi engine in "+filepath.Join(dir, "bin", "pulumi")+" or PATH")
	require.Contains(t, err.(*NotFoundError).Hint(), "make bin/pulumi")
	_, err = find(named)
	require.EqualError(t, err, "no pulumi engine at "+named+": no such file or directory")

	writeScript(t, filepath.Join(path, "pulumi"), "echo v3.999.0")
	found, err := find("")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(path, "pulumi"), found.Path())

	writeScript(t, filepath.Join(dir, "bin", "pulumi"), "echo v3.274.1")
	found, err = find("")
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "bin", "pulumi"), found.Path())

	writeScript(t, named, "echo v3.1.0")
	_, err = find(named)
	require.EqualError(t, err, "the pulumi engine "+named+" has version v3.1.0; v3.274.1 or a later v3 is required")
	require.Contains(t, err.(*TooOldError).Hint(), "make bin/pulumi")

	writeScript(t, named, "echo unversioned")
	_, err = find(named)
	require.EqualError(t, err, "no pulumi engine at "+named+`: its version is "unversioned"`)
	writeScript(t, named, "exit 3")
	_, err = find(named)
	require.EqualError(t, err, "no pulumi engine at "+named+": exit status 3")
}

func TestIsSupported(t *testing.T) {
	for version, want := range map[string]bool{
		"3.274.1": true, "3.274.2": true, "3.275.0": true, "3.274.1-alpha.1": true, "3.274.1+dirty": true,
		"3.249.9": false, "3.1.0": false, "2.300.0": false, "4.0.0": false, "0.0.0": false,
	} {
		require.Equal(t, want, isSupported(semver.MustParse(version)), version)
	}
}

// The engine writes a log when it is run for its version: not into the user's directory.
func TestFindLeavesTheUsersHomeAlone(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	script := filepath.Join(dir, "pulumi")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\necho \"$PULUMI_HOME\" > "+dir+"/home\necho v3.274.1\n"), 0o755))
	for _, chosen := range []string{"", "/the/users/choice"} {
		want := home
		require.NoError(t, os.Unsetenv("PULUMI_HOME"))
		if chosen != "" {
			t.Setenv("PULUMI_HOME", chosen)
			want = chosen
		}
		_, err := Find(t.Context(), Options{Explicit: script, Home: home})
		require.NoError(t, err)
		recorded, err := os.ReadFile(filepath.Join(dir, "home"))
		require.NoError(t, err)
		require.Equal(t, want+"\n", string(recorded))
	}
}

// The context has ended, so that a binary that is run for its version fails.
func TestTheVersionIsReadFromABuiltEngine(t *testing.T) {
	path := built(t).Path()
	ended, end := context.WithCancel(t.Context())
	end()
	engine, err := Find(ended, Options{Explicit: path})
	require.NoError(t, err)
	asked, err := queryVersion(t.Context(), path, t.TempDir())
	require.NoError(t, err)
	require.Equal(t, asked, engine.Version())

	dir, self := t.TempDir(), filepath.Join(t.TempDir(), "pulumi")
	script := filepath.Join(dir, "script")
	writeScript(t, script, "echo v3.274.1")
	test, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.Symlink(test, self))
	for name, path := range map[string]string{"a shim": script, "another program": self, "nothing": filepath.Join(dir, "nothing")} {
		_, known := builtVersion(path)
		require.False(t, known, name)
	}
	_, err = Find(ended, Options{Explicit: script})
	require.ErrorIs(t, err, context.Canceled)
}

func TestAnEngineThatCannotBeRunIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "bin", "pulumi")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	write(t, path, "\x7fELF")
	_, err := Find(t.Context(), Options{ProjectDir: dir})
	require.EqualError(t, err, "no pulumi engine at "+path+": permission denied")
	require.NoError(t, os.Chmod(path, 0o700))
	_, err = Find(t.Context(), Options{ProjectDir: dir})
	require.ErrorContains(t, err, "exec format error")
}
