package procs

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestZombieIsNotAlive(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	require.NoError(t, cmd.Start())
	pid := cmd.Process.Pid
	require.True(t, Alive(pid))
	require.Eventually(t, func() bool { return len(Children(os.Getpid(), "sleep")) == 1 }, 10*time.Second, time.Millisecond)

	require.NoError(t, cmd.Process.Kill())
	require.Eventually(t, func() bool { return !Alive(pid) }, 10*time.Second, time.Millisecond)
	require.Empty(t, Children(os.Getpid(), "sleep"))
	_, state, _, err := stat(pid)
	require.NoError(t, err, "it is still in the table")
	require.Equal(t, zombie, state)

	require.Error(t, cmd.Wait(), "it was killed")
	require.False(t, Alive(pid))
	require.True(t, Alive(os.Getpid()))
}
