package command

import (
	"context"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
)

// writesSecret writes a file unchanged into a secret of the simulated account, as the console or another tool can:
// writes-secret NAME FILE. The deployer itself writes nothing that ECS cannot read.
func writesSecret(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: writes-secret NAME FILE")
	}
	shared, err := environment.LoadShared(ts.Getenv("ROOT"))
	ts.Check(err)
	ctx := context.Background()
	account, err := local.Open(ctx, local.Options{
		Dir: filepath.Join(ts.Getenv("STATE"), "local"), AccountID: shared.Account, Region: shared.Region,
	})
	ts.Check(err)
	_, err = secretsmanager.NewFromConfig(account.AWS()).PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: aws.String(args[0]), SecretString: aws.String(ts.ReadFile(args[1])),
	})
	ts.Check(err)
	ts.Check(account.Close())
}
