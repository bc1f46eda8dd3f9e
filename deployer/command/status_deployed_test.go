package command

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
)

// TestStatusOfDeployed reads one simulated account in which all environments were deployed with the real binary: staging and
// production successfully, and dev with a rollout that failed.
func TestStatusOfDeployed(t *testing.T) {
	t.Parallel()
	root, dir := engineRoot(t), t.TempDir()
	_, err := deployedStaging(root, dir)
	require.NoError(t, err)
	d := deployed{root: root, dir: dir}
	t.Run("faults", d.testFaults)
	t.Run("diagnosis", d.testDiagnosis)
	t.Run("hidden search", d.testHiddenSearch)
	t.Run("speed", d.testSpeed)
	t.Run("hanging", d.testHanging)

	t.Run("others", func(t *testing.T) {
		for env, faults := range map[string][]string{"production": nil, "dev": {"--fault", "task-crash"}} {
			t.Run(env, func(t *testing.T) {
				t.Parallel()
				args := append([]string{"up", "--env", env, "--image-tag", "1.41.7-9f8e7d6c5", "--yes", "--quiet"}, faults...)
				_, stderrText, code := d.deployer(t, args...)
				require.Equal(t, faults == nil, code == codeDone, stderrText)
			})
		}
	})
	t.Run("policy", d.testPolicy)
}

// deployed is a simulated account with deployed environments.
type deployed struct {
	// root is the project's, dir the state directory.
	root, dir string
}

// copied returns a copy of the account, in a directory of the test's own.
func (d deployed) copied(t *testing.T) deployed {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(d.dir)))
	return deployed{root: d.root, dir: dir}
}

// deployer runs the real binary in the account.
func (d deployed) deployer(t *testing.T, args ...string) (stdout, stderr string, code int) {
	cmd := exec.CommandContext(t.Context(), "deployer", append(args, "--local")...)
	cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+d.root, "DEPLOYER_STATE_DIR="+d.dir)
	var out, stderrText bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderrText
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		require.NoError(t, err)
	}
	return out.String(), stderrText.String(), code
}

// open opens the account in this process, and loads one of its environments.
func (d deployed) open(t *testing.T, name string) (*local.Local, *environment.Environment) {
	env, err := environment.Load(d.root, name)
	require.NoError(t, err)
	account, err := local.Open(t.Context(), local.Options{Dir: filepath.Join(d.dir, "local"), AccountID: env.Account, Region: env.Region})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, account.Close()) })
	return account, env
}
