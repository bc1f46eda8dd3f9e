package command

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// A service that is named twice is read once: its lines would be printed twice, and each costs a call.
func TestLogsReadEachServiceOnce(t *testing.T) {
	env, err := environment.Load(projectRoot(t), "staging")
	require.NoError(t, err)
	for _, test := range []struct{ given, want []string }{
		{nil, nil},
		{[]string{"worker", "api"}, []string{"worker", "api"}},
		{[]string{"api", "worker", "api", "api"}, []string{"api", "worker"}},
		{[]string{"api,worker", "worker"}, []string{"api", "worker"}},
	} {
		query, err := logsOptions{services: test.given, since: "1h"}.query(env, time.Now())
		require.NoError(t, err)
		require.Equal(t, test.want, query.Services)
	}
}
