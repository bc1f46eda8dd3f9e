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

// TestOverTheWire runs the binary against an independent imitation of AWS, as against any --endpoint-url. entrypoint is
// there too, to start with what the deployer wrote.
func TestOverTheWire(t *testing.T) {
	t.Parallel()
	endpoint := moto.Start(t)
	root := projectRoot(t)
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(bin, "entrypoint"), "./entrypoint")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	testscript.Run(t, testscript.Params{
		Dir: "testdata/wire",
		Setup: func(env *testscript.Env) error {
			for key, value := range map[string]string{
				"DEPLOYER_DIR": root, "DEPLOYER_STATE_DIR": env.WorkDir + "/state", "DEPLOYER_ENDPOINT_URL": endpoint, "ENDPOINT": endpoint,
				"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "HOME": env.WorkDir,
				"PATH": env.Getenv("PATH") + string(os.PathListSeparator) + bin,
			} {
				env.Setenv(key, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "jsonpath": jsonPath, "vault": vault},
	})
}

// vault does to a secret what people do in the console: vault create NAME makes it without a value, vault delete NAME
// marks it for deletion, vault restore NAME takes that back.
func vault(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: vault create|delete|restore NAME")
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
		ts.Fatalf("vault does not know %s", args[0])
	}
	ts.Check(err)
}
