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

func TestTimingsAreAdded(t *testing.T) {
	notes := filepath.Join(t.TempDir(), "notes")
	_, err := sumTimings(notes)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(notes, []byte("900ms\n1m30s\n"), 0o600))
	total, err := sumTimings(notes)
	require.NoError(t, err)
	require.Equal(t, 90*time.Second+900*time.Millisecond, total)
	require.NoError(t, os.WriteFile(notes, []byte("soon\n"), 0o600))
	_, err = sumTimings(notes)
	require.ErrorContains(t, err, "soon")
}
