package stack

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/release"
)

func TestExplainExpired(t *testing.T) {
	for text, want := range map[string]bool{
		"aws:ecs/service:Service api: updating ECS Service: operation error ECS: UpdateService, https response error StatusCode: 400, " +
			"api error ExpiredTokenException: The security token included in the request is expired": true,
		"could not read the state: operation error S3: GetObject, api error ExpiredToken: The provided token has expired.": true,
		"creating RDS DB Instance: api error InsufficientDBInstanceCapacity: no capacity":                                  false,
	} {
		cause := errors.New(text)
		err := explainExpired(cause)
		var expired *release.ExpiredError
		require.Equal(t, want, errors.As(err, &expired), text)
		require.ErrorIs(t, err, cause)
	}
	require.NoError(t, explainExpired(nil))
}
