package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSweepRemovesWhatNobodyUses(t *testing.T) {
	s := settings{stateDir: t.TempDir()}
	used, err := s.newTemporary(trialPrefix)
	require.NoError(t, err)
	left, err := s.newTemporary(previewPrefix)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(left.path, "local", "state"), 0o700))
	require.NoError(t, left.held.Close(), "as the kernel does when its process is killed")
	other := filepath.Join(s.stateDir, "local")
	require.NoError(t, os.Mkdir(other, 0o700))

	s.sweep()
	require.NoDirExists(t, left.path)
	require.DirExists(t, used.path)
	require.DirExists(t, other)
	require.NoError(t, used.remove())
	require.NoDirExists(t, used.path)
}
