package command

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/lock"
)

// TestSharedStack gives the shared stack to every command. Those that are about an environment reject it; none ends with a panic.
func TestSharedStack(t *testing.T) {
	const rejected = "the shared stack is not an environment"
	// withoutEnvironment are commands that ignore --env.
	withoutEnvironment := []string{"bootstrap", "images", "env", "local", "completion", "version"}
	slow := []string{"bootstrap", "import"} // they run the engine
	root, state := projectRoot(t), t.TempDir()
	var try func(path []string, list []verb)
	try = func(path []string, list []verb) {
		for _, v := range list {
			words := append(slices.Clone(path), v.name)
			try(words, v.verbs)
			name := strings.Join(words, " ")
			if v.run == nil || name == "local serve" || v.hidden { // they wait
				continue
			}
			t.Run(name, func(t *testing.T) {
				if slices.Contains(slow, v.name) {
					engineRoot(t)
				}
				args := slices.Concat([]string{"deployer"}, words, []string{"--env", "shared", "--local", "--dir", root, "--state-dir", state})
				for _, f := range v.flags {
					if name := f.Names()[0]; name == "dry-run" || name == "force" {
						args = append(args, "--"+name)
					}
				}
				if v.args != "" && !strings.HasPrefix(v.args, "[") {
					args = append(args, "KEY")
				}
				var printed bytes.Buffer
				code := run(t.Context(), "development", args, streams{in: strings.NewReader(""), out: &printed, err: &printed})
				switch {
				case v.takesShared:
					require.NotContains(t, printed.String(), rejected)
				case !slices.Contains(withoutEnvironment, words[0]):
					require.Equal(t, codeNotRun, code, printed.String())
				}
				require.Contains(t, []int{codeDone, codeNotRun}, code, printed.String())
			})
		}
	}
	try(nil, verbs())
}

// The lock of the shared stack is released with the command that the deployer prints where it is held.
func TestReleaseSharedLock(t *testing.T) {
	state := t.TempDir()
	lease, _, err := lock.Directory{Dir: filepath.Join(state, "local", "locks"), Clock: clock.Real()}.TryAcquire(t.Context(), lock.Holder{
		ID: "test", Stack: "shared", Environment: "shared", Command: bootstrapAction, By: "jane@laptop", Host: "laptop", PID: os.Getpid(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = lease.Release(t.Context()) })
	for _, test := range []struct {
		words   string
		code    int
		printed string
	}{
		{"lock status", codeDone, "jane@laptop"},
		{"lock release --yes", codeNotRun, "shared is locked by jane@laptop"},
		{"lock release --force --yes", codeDone, "the lock of shared is released"},
	} {
		var printed bytes.Buffer
		args := append(strings.Fields("deployer "+test.words), "--env", "shared", "--local", "--dir", projectRoot(t), "--state-dir", state)
		require.Equal(t, test.code, run(t.Context(), "development", args, streams{out: &printed, err: &printed}), printed.String())
		require.Contains(t, printed.String(), test.printed)
	}
}
