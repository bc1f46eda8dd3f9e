package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/moto"
)

// The scripts run the real binary: this test binary is entrypoint when it is called by that name.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"entrypoint": main}) }

// hidden is part of every value in the scripts that must not be printed.
const hidden = "hunter2"

func TestScripts(t *testing.T) {
	v := newFakeSecretsManager(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("ENDPOINT", v.URL)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "calls": v.calls},
	})
}

// exits runs a command that must exit with the code and must not print hidden.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	if err != nil {
		exit := strings.TrimPrefix(err.Error(), "exit status ")
		if code, err = strconv.Atoi(exit); err != nil {
			ts.Fatalf("%s ended with %s", args[1], exit)
		}
	}
	output := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	if code != want {
		ts.Fatalf("exit code %d, and %d was expected", code, want)
	}
	if strings.Contains(output, hidden) {
		ts.Fatalf("a value was printed")
	}
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		if !strings.HasPrefix(line, "entrypoint: ") {
			ts.Fatalf("a line that is not entrypoint's: %s", line)
		}
	}
}

// TestSignalBeforeTheStart sends a signal while a secret is being fetched.
func TestSignalBeforeTheStart(t *testing.T) {
	v := newFakeSecretsManager(t)
	for sent, want := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		command := exec.Command("entrypoint", "--", "true")
		command.Env = append(v.environment(), "CONFIG_SECRET_ID=hangs", "PATH="+os.Getenv("PATH"))
		var stderr strings.Builder
		command.Stderr = &stderr
		require.NoError(t, command.Start())
		<-v.hanging
		require.NoError(t, command.Process.Signal(sent))
		_ = command.Wait()
		require.Equal(t, want, command.ProcessState.ExitCode())
		require.Equal(t, fmt.Sprintf("entrypoint: stopped by %s before the application was started\n", sent), stderr.String())
	}
}

// TestOverTheWire starts an application with secrets in an independent AWS simulator.
func TestOverTheWire(t *testing.T) {
	endpoint := moto.Start(t)
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(endpoint), Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	create := func(name, text string) string {
		out, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String(name), SecretString: aws.String(text)})
		require.NoError(t, err)
		return aws.ToString(out.ARN)
	}
	configARN := create("config", `{"TOKEN":"hunter2","NODE_ENV":"staging"}`)
	database := create("rds!db-1", `{"username":"balancer","password":"hunter2/@"}`)
	doomed := create("doomed", "{}")
	_, err := client.DeleteSecret(t.Context(), &secretsmanager.DeleteSecretInput{SecretId: aws.String(doomed)})
	require.NoError(t, err)
	_, err = client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: aws.String("binary"), SecretBinary: []byte("hunter2")})
	require.NoError(t, err)

	region := "eu-west-1"
	run := func(id string, more ...string) (string, string, int) {
		var out, stderr strings.Builder
		command := exec.Command("entrypoint", "--require", "TOKEN,DATABASE_URL", "--", "sh", "-c", `echo "$TOKEN $NODE_ENV $DATABASE_URL"`)
		command.Env = append([]string{
			"PATH=" + os.Getenv("PATH"), "AWS_ENDPOINT_URL=" + endpoint, "AWS_REGION=" + region, "AWS_ACCESS_KEY_ID=test",
			"AWS_SECRET_ACCESS_KEY=test", "CONFIG_SECRET_ID=" + id, "DATABASE_SECRET_ARN=" + database, "DATABASE_HOST=db.example.com",
			"DATABASE_PORT=5432", "DATABASE_NAME=balancer",
		}, more...)
		command.Stdout, command.Stderr = &out, &stderr
		_ = command.Run()
		require.NotContains(t, stderr.String(), hidden)
		return out.String(), stderr.String(), command.ProcessState.ExitCode()
	}
	out, stderr, code := run("config", "NODE_ENV=set")
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "hunter2 set postgresql://balancer:hunter2%2F%40@db.example.com:5432/balancer?sslmode=require\n", out)
	for id, want := range map[string]string{
		"nowhere": "the secret nowhere does not exist in eu-west-1; create it or correct CONFIG_SECRET_ID",
		"doomed":  "the secret doomed is scheduled for deletion; restore it",
		"binary":  "the secret binary contains binary data",
	} {
		_, stderr, code := run(id)
		require.Equal(t, 78, code)
		require.Contains(t, stderr, want)
	}

	// An ARN is looked up in its own region.
	region = "us-east-1"
	out, stderr, code = run(configARN, "NODE_ENV=set")
	require.Equal(t, 0, code, stderr)
	require.Contains(t, out, "hunter2 set postgresql://")
	_, stderr, _ = run("config")
	require.Contains(t, stderr, "the secret config does not exist in us-east-1")
}
