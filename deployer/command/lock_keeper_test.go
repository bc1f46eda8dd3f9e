package command

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/balancer/v3-backend-infra/internal/moto"
)

// fakeEngine reports its version, and runs until it is killed.
const fakeEngine = `#!/bin/sh
case "$*" in *version*) echo v3.274.1; exit;; esac
echo $$ >"$0.new" && mv "$0.new" "$0.pid"
exec sleep 300
`

// A deployer is killed while its engine runs, with the lock in a bucket: the lock stays with the engine, and is free for the next one as
// soon as the engine has ended. The heartbeat is not waited for: that a keeper sends it, deployer/lock tests.
func TestAKilledDeployerLeavesTheLockToItsEngine(t *testing.T) {
	t.Parallel()
	endpoint, dir := moto.Start(t), t.TempDir()
	engine := filepath.Join(dir, "pulumi")
	require.NoError(t, os.WriteFile(engine, []byte(fakeEngine), 0o700))
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
	first := deployer("bootstrap", "--pulumi", engine)
	var printed strings.Builder
	first.Stdout, first.Stderr = &printed, &printed
	require.NoError(t, first.Start())
	var pid int
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(engine + ".pid")
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(content)))
		}
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGKILL) })
	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait())
	state, doing := status()
	require.Contains(t, []string{"held", "ending"}, state, printed.String())
	require.Equal(t, "bootstrap", doing)

	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	require.Eventually(t, func() bool { state, _ := status(); return state == "expired" }, 30*time.Second, 50*time.Millisecond,
		"without a keeper it expires two minutes after the last heartbeat")

	// A command that ends leaves no keeper.
	second := deployer("bootstrap", "--pulumi", "/bin/false")
	out, err := second.CombinedOutput()
	require.Error(t, err, string(out))
	require.Empty(t, keepersOf(t, second.Process.Pid))
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
