package engine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/blang/semver"
	"github.com/stretchr/testify/require"
)

// No machine can run it: whoever knows its version all the same has not asked.
const unrunnable = "\x7fELF, as far as anybody can see"

func TestVersionIsRememberedUntilTheBinaryChanges(t *testing.T) {
	home, path := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "pulumi")
	require.NoError(t, os.WriteFile(path, []byte(unrunnable), 0o700))
	look := func() error {
		e, err := Find(t.Context(), Options{Explicit: path, Home: home})
		if err == nil {
			require.Equal(t, "3.275.1", e.Version().String())
			require.Equal(t, path, e.Path())
		}
		return err
	}
	learn := func(version string) {
		is, known := identity(path)
		require.True(t, known)
		remember(home, is, semver.MustParse(version))
	}
	require.ErrorContains(t, look(), "exec format error", "it was never asked")
	learn("3.275.1")
	require.NoError(t, look())

	later := time.Now().Add(time.Second)
	require.NoError(t, os.Chtimes(path, later, later))
	require.ErrorContains(t, look(), "exec format error", "it is newer")
	learn("3.275.1")
	require.NoError(t, os.WriteFile(path, []byte(unrunnable+"!"), 0o700))
	require.NoError(t, os.Chtimes(path, later, later))
	require.ErrorContains(t, look(), "exec format error", "it is longer")
	learn("3.275.1")
	require.NoError(t, look())

	other := filepath.Join(t.TempDir(), "pulumi")
	require.NoError(t, os.Rename(path, other))
	path = other
	require.ErrorContains(t, look(), "exec format error", "it is another one")
	learn("3.1.0")
	require.ErrorContains(t, look(), "exec format error", "it was too old")
	learn("3.275.1")
	write(t, filepath.Join(home, memoryFile), `{"path":"`)
	require.ErrorContains(t, look(), "exec format error", "the memory was cut")

	files, err := os.ReadDir(home)
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing half-written is left")
}

func TestStandInsAreAskedEachTime(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	script, manager, link := filepath.Join(dir, "pulumi"), filepath.Join(dir, "manager"), filepath.Join(t.TempDir(), "pulumi")
	says(t, script, "echo v3.274.1")
	require.NoError(t, os.WriteFile(manager, []byte(unrunnable), 0o700))
	require.NoError(t, os.Symlink(manager, link))
	for _, path := range []string{script, link, filepath.Join(dir, "nowhere")} {
		_, known := identity(path)
		require.False(t, known, path)
	}
	_, err := Find(t.Context(), Options{Explicit: script, Home: home})
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(home, memoryFile))
}

func TestTheEngineIsAskedOnce(t *testing.T) {
	home := t.TempDir()
	o := Options{Explicit: built(t).Path(), Home: home}
	asked, err := Find(t.Context(), o)
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(home, memoryFile))
	is, known := identity(asked.Path())
	require.True(t, known)
	version, known := recall(home, is)
	require.True(t, known)
	require.Equal(t, asked.Version(), version)
}
