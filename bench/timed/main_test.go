package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEngineIsTimed(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes")
	require.Equal(t, 0, timeEngine("true", notes, nil))
	require.Equal(t, 3, timeEngine("sh", notes, []string{"-c", "exit 3"}))
	require.Equal(t, 1, timeEngine("/nowhere", notes, nil))
	content, err := os.ReadFile(notes)
	require.NoError(t, err)
	runs := strings.Fields(string(content))
	require.Len(t, runs, 3)
	for _, took := range runs {
		_, err := time.ParseDuration(took)
		require.NoError(t, err)
	}
}
