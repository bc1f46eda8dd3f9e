package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// No run writes a tracked file.
func TestTrackedFilesStayAndTheSaltIsKept(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b"))).withPassphrase()
	h := l.open(t)
	first, err := l.stack.UncommittedEncryption()
	require.NoError(t, err)
	require.NotEmpty(t, first.EncryptionSalt, "the engine writes the salt into the work copy")
	_, err = h.Up(t.Context(), Update{}, nil)
	require.NoError(t, err)

	l.open(t)
	again, err := l.stack.UncommittedEncryption()
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, projectFile, read(t, filepath.Join(l.stack.Project, "Pulumi.yaml")))
	require.Equal(t, stackFile, read(t, filepath.Join(l.stack.Project, "Pulumi.dev.yaml")))
	require.NotContains(t, read(t, filepath.Join(l.stack.WorkDir, "Pulumi.yaml")), "main")

	// Without the work copy the salt is still in the state.
	require.NoError(t, os.RemoveAll(l.stack.WorkDir))
	_, err = l.open(t).Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
}

func TestPrepare(t *testing.T) {
	const config = "config:\n  proj:name: x\n"
	for name, c := range map[string]struct {
		tracked, earlier, want string
		own                    bool
	}{
		"no encryption":       {tracked: config},
		"kept":                {tracked: config, earlier: "encryptionsalt: old\n" + config, want: "old"},
		"the project's first": {tracked: "encryptionsalt: new\n" + config, earlier: "encryptionsalt: old\n" + config, want: "new"},
		"not mixed":           {tracked: "encryptedkey: key\nsecretsprovider: awskms://x\n" + config, earlier: "encryptionsalt: old\n"},
		"another stack's":     {tracked: "encryptionsalt: new\n" + config, own: true},
		"its own kept":        {tracked: "encryptionsalt: new\n" + config, earlier: "encryptionsalt: old\n" + config, want: "old", own: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := Stack{Project: dir, Name: "dev", WorkDir: filepath.Join(dir, "work"), OwnEncryption: c.own}
			write(t, filepath.Join(dir, "Pulumi.yaml"), projectFile)
			write(t, filepath.Join(dir, "Pulumi.dev.yaml"), c.tracked)
			if c.earlier != "" {
				require.NoError(t, os.Mkdir(s.WorkDir, 0o700))
				write(t, filepath.Join(s.WorkDir, "Pulumi.dev.yaml"), c.earlier)
			}
			require.NoError(t, s.prepare())
			settings, err := s.settings(s.WorkDir)
			require.NoError(t, err)
			require.Equal(t, c.want, settings.EncryptionSalt)
			require.Len(t, settings.Config, 1)
			require.Equal(t, c.tracked, read(t, filepath.Join(dir, "Pulumi.dev.yaml")))
			files, err := os.ReadDir(s.WorkDir)
			require.NoError(t, err)
			require.Len(t, files, 2, "no temporary file is left")
		})
	}
}

func TestPrepareErrors(t *testing.T) {
	dir := t.TempDir()
	s := Stack{Project: dir, Name: "dev", WorkDir: filepath.Join(dir, "work")}
	require.ErrorIs(t, s.prepare(), os.ErrNotExist)
	write(t, filepath.Join(dir, "Pulumi.yaml"), projectFile)
	require.ErrorContains(t, s.prepare(), "Pulumi.dev.yaml")
	write(t, filepath.Join(dir, "Pulumi.dev.yaml"), "config: [\n")
	require.ErrorContains(t, s.prepare(), "Pulumi.dev.yaml")
}

// A stack keeps the passphrase that it was created with, whatever encrypts new stacks.
func TestAStackKeepsItsPassphrase(t *testing.T) {
	l := newHarness(t, pair(valueMap("a"), valueMap("b")))
	old := harness{l.provider, l.engine, l.stack}.withPassphrase()
	_, err := old.open(t).Up(t.Context(), Update{}, nil)
	require.NoError(t, err)
	l.stack.Env["PULUMI_CONFIG_PASSPHRASE"] = passphrase
	for _, forget := range []string{filepath.Join(t.TempDir(), "nothing"), l.stack.WorkDir} {
		require.NoError(t, os.RemoveAll(forget))
		h := l.open(t)
		plan, err := h.Preview(t.Context(), Update{}, nil)
		require.NoError(t, err)
		require.True(t, plan.Empty(), "%v", plan.Steps)
		_, err = h.Up(t.Context(), Update{}, nil)
		require.NoError(t, err)
		require.Contains(t, read(t, l.stateFile()), `"type":"passphrase"`)
	}
}
