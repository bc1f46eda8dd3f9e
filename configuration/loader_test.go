package configuration

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChangesLoader(t *testing.T) {
	for _, name := range []string{"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "NODE_OPTIONS", "BUN_OPTIONS", "NODE_EXTRA_CA_CERTS", "PATH"} {
		require.True(t, ChangesLoader(name), name)
	}
	for _, name := range []string{"DATABASE_URL", "NODE_ENV", "SENTRY_DSN", "LDAP_URL", "API_PATH", "AWS_REGION", "ENV"} {
		require.False(t, ChangesLoader(name), name)
	}
}
