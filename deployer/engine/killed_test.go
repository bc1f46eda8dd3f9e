package engine

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"
)

// A killed deployer ends the program and, here, the provider. Its engine must notice that, write the state and remove its
// lock.
func TestKilledDeployer(t *testing.T) {
	l := newHarness(t, nil)
	h := l.open(t)
	deployer := exec.Command(os.Args[0], "-test.run=^TestDeployerToBeKilled$")
	deployer.Env = append(os.Environ(), "ENGINE_TEST_PROJECT="+l.stack.Project)
	out, err := deployer.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, deployer.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "creating one\n", line)
	require.Len(t, l.locks(t), 1)
	require.NoError(t, deployer.Process.Kill())
	require.Error(t, deployer.Wait())
	require.Eventually(t, func() bool { return len(l.locks(t)) == 0 }, 20*time.Second, 20*time.Millisecond)
	state, err := h.State(t.Context())
	require.NoError(t, err)
	require.Empty(t, state.Pending)
}

// TestDeployerToBeKilled runs the other process of TestKilledDeployer.
func TestDeployerToBeKilled(t *testing.T) {
	dir, asked := os.LookupEnv("ENGINE_TEST_PROJECT")
	if !asked {
		t.Skip("TestKilledDeployer runs it")
	}
	l := newHarnessIn(t, dir, pair(with(valueMap("a"), "slow", pulumi.Bool(true)), valueMap("b")))
	h := l.open(t)
	go func() { _, _ = os.Stdout.WriteString("creating " + <-l.creating + "\n") }()
	_, err := h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err, "it was not killed")
}
