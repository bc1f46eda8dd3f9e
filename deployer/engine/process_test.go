package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ignoreInterrupts records every SIGINT and continues until it is released. It also records its process group.
const ignoreInterrupts = `
dir=$(dirname "$0")
trap 'echo INT >> "$dir/signals"' INT
ps -o pgid= -p $$ | tr -d ' ' > "$dir/group"; echo $$ > "$dir/pid"; touch "$dir/ready"
while [ ! -e "$dir/go" ]; do sleep 0.02; done
echo out; echo err >&2; [ ! -t 0 ] && exit 7`

func TestProcessGetsOneSignalAndIsWaitedFor(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	exists := func(name string) func() bool {
		return func() bool { _, err := os.Stat(file(name)); return err == nil }
	}
	writeScript(t, file("pulumi"), ignoreInterrupts)
	ctx, interrupt := context.WithCancel(t.Context())
	listening := make(chan struct{})
	c := &process{find: func() (*Engine, error) { return &Engine{path: file("pulumi")}, nil }, listening: listening}
	type result struct {
		out, err string
		code     int
	}
	ended := make(chan result, 1)
	go func() {
		out, err, code, _ := c.Run(ctx, dir, nil, nil, nil, nil, "up")
		ended <- result{out, err, code}
	}()
	require.Eventually(t, exists("ready"), 10*time.Second, 5*time.Millisecond)
	interrupt()
	require.Never(t, exists("signals"), 100*time.Millisecond, 10*time.Millisecond,
		"a signal before the engine listens leaves its lock behind")
	close(listening)
	require.Eventually(t, exists("signals"), 10*time.Second, 5*time.Millisecond)
	write(t, file("go"), "")
	require.Equal(t, result{"out\n", "err\n", 7}, <-ended)
	require.Equal(t, "INT\n", read(t, file("signals")))
	require.Equal(t, read(t, file("pid")), read(t, file("group")), "the terminal's Ctrl-C must not reach it")
	require.Equal(t, "exit status 7", c.failure)
}

func TestCannedResponsesNeedNoEngine(t *testing.T) {
	t.Parallel()
	c := &process{find: func() (*Engine, error) { return &Engine{path: "/nonexistent"}, nil }}
	for _, args := range [][]string{
		{"stack", "select", "--stack", "dev"}, {"stack", "output", "--json"}, {"stack", "history", "--json"},
	} {
		_, _, code, err := c.Run(t.Context(), "", nil, nil, nil, nil, args...)
		require.NoError(t, err)
		require.Zero(t, code)
	}
	_, _, code, err := c.Run(t.Context(), "", nil, nil, nil, nil, "stack", "export")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, exitNotRun, code)
}

func TestEnvironmentOfTheEngine(t *testing.T) {
	t.Setenv("PULUMI_HOME", "")
	s := Stack{Home: "/ours", BackendURL: "s3://bucket", Env: map[string]string{"AWS_PROFILE": "x"}}
	require.NotContains(t, s.env(), "PULUMI_HOME", "the user's value, even if it is empty")
	require.NoError(t, os.Unsetenv("PULUMI_HOME"))
	require.Equal(t, map[string]string{"PULUMI_HOME": "/ours", "PULUMI_BACKEND_URL": "s3://bucket",
		"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true", "AWS_PROFILE": "x"}, s.env())
	t.Setenv("PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER", "false")
	require.Equal(t, map[string]string{"PULUMI_SKIP_UPDATE_CHECK": "true"}, Stack{}.env(), "the user's value takes precedence")
}
