package checks

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/balancer/v3-backend-infra/environment"
)

// checkMissingSecret finds out why the configuration secret has no readable value.
func checkMissingSecret(ctx context.Context, rc *runContext) ([]Finding, error) {
	out, err := secretsmanager.NewFromConfig(rc.aws()).DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{
		SecretId: aws.String(rc.env.SecretName()),
	})
	if err := ignoreCodes(err, "ResourceNotFoundException"); err != nil {
		return nil, err
	}
	return []Finding{evaluateMissingSecret(out, rc.env)}, nil
}

// evaluateMissingSecret distinguishes a secret that was never created, one marked for deletion, and one without a value.
// description is nil where there is no secret.
func evaluateMissingSecret(description *secretsmanager.DescribeSecretOutput, env *environment.Environment) Finding {
	f := newFinding("secrets", "SecretsManager-Secret-"+env.SecretName()).with("required_keys", env.SecretKeys())
	switch {
	case description == nil:
		return f.error("SecretMissing", Hint{
			Cause: "it was never created, or was deleted", Solution: "create it", Command: command(env, "secrets init"),
		}, "the secret %s does not exist", env.SecretName())
	case description.DeletedDate != nil:
		return f.error("SecretDeleted", Hint{
			Cause: "it was deleted; no task starts until it is restored", Solution: "restore it with its values",
			Command: "aws secretsmanager restore-secret --secret-id " + env.SecretName() + " --region " + env.Region,
		}, "the secret %s is marked for deletion, and permanently deleted after %s", env.SecretName(), description.DeletedDate.UTC().Format(time.DateOnly))
	}
	return f.error("SecretWithoutValue", Hint{
		Cause: "it was created, and no value was written", Solution: "write its value", Command: command(env, "secrets init"),
	}, "the secret %s has no value", env.SecretName())
}
