package command

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/internal/moto"
	"github.com/balancer/v3-backend-infra/internal/procs"
)

// fakeEngine reports its version, writes its process and its backend to a file, and runs until it is killed.
const fakeEngine = `#!/bin/sh
case "$*" in *version*) echo v3.274.1; exit;; esac
echo "$$ $PULUMI_BACKEND_URL" >"$0.new" && mv "$0.new" "$0.pid"
exec sleep 300
`

// startEngine starts a bootstrap with a fake engine, and returns the deployer, the engine's process, and how the engine reaches
// its state.
func startEngine(t *testing.T, deployer func(args ...string) *exec.Cmd, engine string) (cmd *exec.Cmd, pid int, state *s3.Client) {
	t.Helper()
	require.NoError(t, os.WriteFile(engine, []byte(fakeEngine), 0o700))
	cmd = deployer("bootstrap", "--pulumi", engine)
	var printed strings.Builder
	cmd.Stdout, cmd.Stderr = &printed, &printed
	require.NoError(t, cmd.Start())
	var backend string
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(engine + ".pid")
		if err == nil {
			_, err = fmt.Sscan(string(content), &pid, &backend)
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	t.Cleanup(func() {
		_ = unix.Kill(pid, unix.SIGKILL)
		if t.Failed() {
			t.Log(printed.String())
		}
	})
	u, err := url.Parse(backend)
	require.NoError(t, err)
	require.Equal(t, stateBucket, u.Host)
	return cmd, pid, s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(u.Query().Get("endpoint")), UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("engine", "any", ""),
	})
}

const stateBucket = "v3-backend-pulumi-state-" + moto.Account

// A deployer is killed while its engine runs, with the lock in a bucket: the lock stays with the engine, and is free for the
// next one as soon as the engine has ended. The heartbeat is not waited for: that a keeper sends it, deployer/lock tests. Where
// another deployer has the lock nevertheless, the engine cannot write its state any more, and is killed.
func TestAKilledDeployerLeavesTheLockToItsEngine(t *testing.T) {
	t.Parallel()
	endpoint, dir := moto.Start(t), t.TempDir()
	deployer := func(args ...string) *exec.Cmd {
		cmd := exec.Command("deployer", append(args, "--endpoint-url", endpoint, "--dir", projectRoot(t), "--state-dir", filepath.Join(dir, "state"))...)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1", "HOME="+dir, "DEPLOYER_TIMEOUT=5m")
		return cmd
	}
	status := func() (state, phase string) {
		out, err := deployer("lock", "status", "--env", "shared", "--format", "json").Output()
		require.NoError(t, err)
		var s struct {
			State  string
			Holder struct{ Doing string }
		}
		require.NoError(t, json.Unmarshal(out, &s))
		return s.State, s.Holder.Doing
	}
	put := func(engine *s3.Client, content string) error {
		_, err := engine.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(stateBucket), Key: aws.String(".pulumi/stacks/v3-backend/shared.json"), Body: strings.NewReader(content),
		})
		return err
	}
	kill := func(cmd *exec.Cmd) {
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
	}
	first, engine, state := startEngine(t, deployer, filepath.Join(dir, "pulumi"))
	require.NoError(t, put(state, "{}"))
	kill(first)
	held, doing := status()
	require.Contains(t, []string{"held", "ending"}, held)
	require.Equal(t, "bootstrap", doing)
	require.NoError(t, put(state, "{}"), "its keeper continues")

	locks := lock.Bucket{Name: stateBucket, Clock: clock.Real(), Client: s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})}
	current, err := locks.Get(t.Context(), "shared")
	require.NoError(t, err)
	require.NoError(t, locks.Expire(t.Context(), "shared", current.Holder.ID))
	second, secondEngine, secondState := startEngine(t, deployer, filepath.Join(dir, "pulumi2"))
	require.NoError(t, func() error {
		_, err := secondState.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(stateBucket), Key: aws.String(".pulumi/stacks/v3-backend/shared.json"),
		})
		return err
	}())
	require.Error(t, put(state, `{"former":true}`))
	require.Eventually(t, func() bool { return !procs.Alive(engine) }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, put(secondState, "{}"))

	kill(second)
	require.NoError(t, unix.Kill(secondEngine, unix.SIGKILL))
	require.Eventually(t, func() bool { state, _ := status(); return state == "expired" }, 30*time.Second, 50*time.Millisecond,
		"without a keeper it expires two minutes after the last heartbeat")

	// A command that ends leaves no keeper.
	third := deployer("bootstrap", "--pulumi", "/bin/false")
	out, err := third.CombinedOutput()
	require.Error(t, err, string(out))
	require.Empty(t, keepersOf(t, third.Process.Pid))
}

// The keeper gets nothing of the command's environment but its arguments: it publishes its address whatever the command prints, and
// where to.
func TestTheKeeperIgnoresTheVariablesOfTheCommand(t *testing.T) {
	t.Parallel()
	endpoint := moto.Start(t)
	for _, variable := range []string{"DEPLOYER_OUTPUT=result.txt", "DEPLOYER_FORMAT=json", "DEPLOYER_DEBUG=true", "DEPLOYER_HOLDER=x", "DEPLOYER_QUIET=true"} {
		t.Run(variable, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), "deployer", "bootstrap", "--pulumi", "/bin/false", "--yes", "--timeout", "40s",
				"--endpoint-url", endpoint, "--dir", projectRoot(t), "--state-dir", filepath.Join(dir, "state"))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1", "HOME="+dir, variable)
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			require.NotContains(t, string(out), "time limit")
			require.NotContains(t, string(out), "keeper")
			require.Contains(t, string(out), "/bin/false")
			require.Empty(t, keepersOf(t, cmd.Process.Pid))
		})
	}
}

// keepersOf returns the keepers that a deployer has started.
func keepersOf(t *testing.T, deployer int) (found []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, file := range all {
		content, _ := os.ReadFile(file) // it may have ended
		line := strings.ReplaceAll(string(content), "\x00", " ")
		if strings.Contains(line, "lock keep ") && strings.Contains(line, "--parent "+strconv.Itoa(deployer)+" ") {
			found = append(found, line)
		}
	}
	return found
}
