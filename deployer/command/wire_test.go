package command

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/moto"
)

// TestEndpointURL runs the binary against an independent emulator of AWS, through --endpoint-url. entrypoint runs, too, with the
// values that the deployer wrote.
func TestEndpointURL(t *testing.T) {
	t.Parallel()
	shared := moto.Start(t)
	root := projectRoot(t)
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "entrypoint"), "./entrypoint")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	testscript.Run(t, testscript.Params{
		Dir: "testdata/wire",
		Setup: func(env *testscript.Env) error {
			endpoint := shared
			if filepath.Base(env.WorkDir) == "script-doctor" { // it creates the bucket that the others expect to be absent
				endpoint = moto.Start(t)
			}
			for key, value := range map[string]string{
				"DEPLOYER_DIR": root, "DEPLOYER_STATE_DIR": env.WorkDir + "/state", "DEPLOYER_ENDPOINT_URL": endpoint, "ENDPOINT": endpoint,
				"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "HOME": env.WorkDir,
				"PATH": env.Getenv("PATH") + string(os.PathListSeparator) + bin,
			} {
				env.Setenv(key, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "jsonpath": jsonPath, "secret": secret},
	})
}

// secret changes a secret outside the deployer: secret create NAME creates it without a value, secret delete NAME marks it for
// deletion, secret restore NAME restores it.
func secret(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: secret create|delete|restore NAME")
	}
	client := secretsmanager.New(secretsmanager.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(ts.Getenv("ENDPOINT")), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	var err error
	switch ctx, name := context.Background(), &args[1]; args[0] {
	case "create":
		_, err = client.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: name})
	case "delete":
		_, err = client.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: name})
	case "restore":
		_, err = client.RestoreSecret(ctx, &secretsmanager.RestoreSecretInput{SecretId: name})
	default:
		ts.Fatalf("secret: unknown action %s", args[0])
	}
	ts.Check(err)
}
