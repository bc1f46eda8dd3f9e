package checks

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/stretchr/testify/require"
)

func TestEvaluateMissingSecret(t *testing.T) {
	env := loaded(t, "dev")
	deleted := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		known   *secretsmanager.DescribeSecretOutput
		want    verdict
		command string
	}{
		"missing": {nil, verdict{Error, "SecretMissing", "the secret balancer-dev-config does not exist"}, "deployer secrets init --env dev"},
		"without a value": {&secretsmanager.DescribeSecretOutput{}, verdict{Error, "SecretWithoutValue", "balancer-dev-config has no value"},
			"deployer secrets init --env dev"},
		"deleted": {&secretsmanager.DescribeSecretOutput{DeletedDate: &deleted}, verdict{Error, "SecretDeleted", "permanently deleted after 2026-03-01"},
			"aws secretsmanager restore-secret --secret-id balancer-dev-config --region us-east-1"},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluateMissingSecret(test.known, env)
			requireVerdict(t, test.want, got)
			require.Equal(t, test.command, got.Hint.Command)
		})
	}
}
