package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
)

// readSecrets reads every secret value that the simulated account has, by secret and key.
func readSecrets(ctx context.Context, root, state string) (map[string]string, error) {
	shared, err := environment.LoadShared(root)
	if err != nil {
		return nil, err
	}
	account, err := local.Open(ctx, local.Options{
		Dir: filepath.Join(state, "local"), AccountID: shared.Account, Region: shared.Region,
	})
	if err != nil {
		return nil, err
	}
	defer func() { _ = account.Close() }()
	client := secretsmanager.NewFromConfig(account.AWS())
	list, err := client.ListSecrets(ctx, &secretsmanager.ListSecretsInput{})
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, secret := range list.SecretList {
		out, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: secret.ARN})
		if err != nil {
			return nil, err
		}
		var object map[string]string
		if err := json.Unmarshal([]byte(aws.ToString(out.SecretString)), &object); err != nil {
			return nil, fmt.Errorf("secret %s: %w", aws.ToString(secret.Name), err)
		}
		for key, value := range object {
			// Names of environments and users are no secrets, and stand in many places.
			if key != "NODE_ENV" && key != "username" {
				values[aws.ToString(secret.Name)+"/"+key] = value
			}
		}
	}
	return values, nil
}
