package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLongest(t *testing.T) {
	require.Empty(t, longest(nil))
	require.Equal(t, []string{"vpc", "subnet", "db"}, longest([]resource{
		{URN: "network"},
		{URN: "urn:pulumi:providers:aws", Custom: true},
		{URN: "vpc", Custom: true, Parent: "network", Dependencies: []string{"urn:pulumi:providers:aws"}},
		{URN: "queue", Custom: true},
		{URN: "subnet", Custom: true, PropertyDependencies: map[string][]string{"vpcId": {"vpc"}, "zone": nil}},
		{URN: "db", Custom: true, Dependencies: []string{"queue", "subnet"}},
	}))
}

func TestEngineIsTimed(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes")
	require.Equal(t, 0, timeEngine("true", notes, nil))
	require.Equal(t, 1, timeEngine("false", notes, nil))
	require.Equal(t, 1, timeEngine("/nowhere", notes, nil))
	content, err := os.ReadFile(notes)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(notes, append(content, "1m30s\n"...), 0o600))
	total, err := sumTimings(notes)
	require.NoError(t, err)
	require.Greater(t, total, 90*time.Second)
	require.Less(t, total, 2*time.Minute)
}
