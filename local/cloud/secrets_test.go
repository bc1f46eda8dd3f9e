package cloud

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/configuration"
)

// Every key of an environment gets an initial value that passes the checks.
func TestSeedSecrets(t *testing.T) {
	m := newSimulation(t).m
	keys := []string{"NODE_ENV", "SENTRY_DSN", "SUBGRAPH_API_URL", "COINGECKO_API_KEY", "PRICES_URL", "REDIS_URI", "URL", "PORT", "CURLY"}
	require.NoError(t, m.seedSecrets([]Stack{{Name: "qa", SecretKeys: keys}, {Name: "bare"}}))
	var values map[string]string
	require.NoError(t, json.Unmarshal([]byte(m.Secrets["balancer-qa-config"].staged(stageCurrent).Value), &values))
	require.Len(t, values, len(keys))
	require.Empty(t, configuration.Judge(values, keys))
	require.Equal(t, "qa", values["NODE_ENV"])
	require.NotEqual(t, values["COINGECKO_API_KEY"], values["PORT"])
	require.Equal(t, "{}", m.Secrets["balancer-bare-config"].staged(stageCurrent).Value)

	written := m.Secrets["balancer-qa-config"]
	require.NoError(t, m.seedSecrets([]Stack{{Name: "qa", SecretKeys: []string{"OTHER"}}}))
	require.Same(t, written, m.Secrets["balancer-qa-config"], "an existing secret is not changed")
}
