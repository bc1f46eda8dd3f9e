package command

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/configuration"
	"github.com/balancer/v3-backend-infra/deployer/target"
	"github.com/balancer/v3-backend-infra/environment"
)

// unmask shows every value. The URL that entrypoint builds is built here too, as it would be from the current secrets.
func unmask(ctx context.Context, t *target.Target, found *checks.Inspection) error {
	for i := range found.Containers {
		for j := range found.Containers[i].Variables {
			v := &found.Containers[i].Variables[j]
			v.Value, v.Masked = v.Value.Unmasked(), false
			if v.Origin != checks.BuiltAtStart || v.State != checks.Set {
				continue
			}
			built, err := databaseURL(ctx, t, v.BuiltFrom())
			if err != nil {
				return err
			}
			v.Value = checks.Public(built)
		}
	}
	return nil
}

// databaseURL builds a DATABASE_URL.
func databaseURL(ctx context.Context, t *target.Target, parts map[string]string) (string, error) {
	arn := parts[environment.VarDatabaseSecretARN]
	out, err := secretsmanager.NewFromConfig(t.AWS).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn, VersionStage: aws.String("AWSCURRENT")})
	if err != nil {
		return "", fmt.Errorf("read the database's secret: %w", err)
	}
	user, password, err := configuration.ParseCredentials("the database's secret", aws.ToString(out.SecretString))
	if err != nil {
		return "", err
	}
	return configuration.Database{
		User: user, Password: password, Host: parts[environment.VarDatabaseHost], Port: parts[environment.VarDatabasePort],
		Name: parts[environment.VarDatabaseName], Connections: parts[environment.VarConnectionLimit], PoolTimeout: parts[environment.VarPoolTimeout],
	}.URL("the task definition")
}
