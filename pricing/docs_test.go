package pricing

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPageHasThePrices compares docs/cost.md with the code. The expected text can be pasted there.
func TestPageHasThePrices(t *testing.T) {
	page, err := os.ReadFile("../docs/cost.md")
	require.NoError(t, err)
	var table strings.Builder
	for _, p := range Prices() {
		fmt.Fprintf(&table, "| %s | %s | %s | %s | [list](%s) |\n", p.What, p.Unit, strconv.FormatFloat(p.USD, 'f', -1, 64), p.AsOf, p.Source)
	}
	require.Contains(t, string(page), table.String())
	for _, left := range LeftOut() {
		require.Contains(t, string(page), "- "+left+"\n")
	}
}
