package environment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A name that another tool has for an architecture is not taken for a mistyped one of the other architecture.
func TestOtherNamesOfArchitectures(t *testing.T) {
	for value, want := range map[Architecture]string{
		"amd64":       "did you mean x86_64? give x86_64 or arm64",
		"AMD64":       "did you mean x86_64? give x86_64 or arm64",
		"x86-64":      "did you mean x86_64? give x86_64 or arm64",
		"linux/amd64": "did you mean x86_64? give x86_64 or arm64",
		"X86_64":      "did you mean x86_64? give x86_64 or arm64",
		"aarch64":     "did you mean arm64? give x86_64 or arm64",
		"ARM64":       "did you mean arm64? give x86_64 or arm64",
		"arm46":       "did you mean arm64? give x86_64 or arm64",
		"riscv":       "give x86_64 or arm64",
	} {
		var found problemList
		oneOf(&found, "image.architecture", value, X86, ARM64)
		require.Len(t, found, 1)
		require.Equal(t, want, found[0].Remedy, value)
	}
	var found problemList
	oneOf(&found, "network.nat", NAT("amd64"), NATInstance, NATSingle, NATPerZone)
	require.Equal(t, "give instance, single or per-zone", found[0].Remedy, "the other key has no such value")
}
