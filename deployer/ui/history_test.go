package ui

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/history"
)

// A tag is truncated between characters, not between their bytes.
func TestHistoryTruncatesTags(t *testing.T) {
	var out strings.Builder
	require.NoError(t, History(&out, []history.Deployment{{ID: "1", Image: history.Image{Tag: strings.Repeat("ä", 20)}}}, "text"))
	require.True(t, utf8.ValidString(out.String()), out.String())
	require.Contains(t, out.String(), strings.Repeat("ä", tagWidth-1)+"…")
}
