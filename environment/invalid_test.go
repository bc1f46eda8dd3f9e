package environment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/problem"
)

// loadTestdata loads a file of testdata as the stack that its name contains.
func loadTestdata(t *testing.T, name string) error {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	require.NoError(t, err)
	stack := "staging"
	for _, other := range []string{"production", SharedStack} {
		if strings.Contains(name, "-"+other) {
			stack = other
		}
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName(stack)), source, 0o600))
	if stack == SharedStack {
		_, err = LoadShared(dir)
		return err
	}
	_, err = Load(dir, stack)
	return err
}

// TestInvalidFiles checks the whole message of a file for each rule: file, line, key, problem, remedy, and excerpt.
func TestInvalidFiles(t *testing.T) {
	for name, want := range invalid {
		t.Run(name, func(t *testing.T) {
			err := loadTestdata(t, "invalid-"+name)
			var problems *problem.Error
			require.ErrorAs(t, err, &problems)
			require.Equal(t, strings.TrimSpace(want), err.Error())
		})
	}
}

func TestEveryInvalidFileIsTested(t *testing.T) {
	paths, err := filepath.Glob("testdata/invalid-*.yaml")
	require.NoError(t, err)
	require.Len(t, paths, len(invalid))
}

func TestValidFilesLoad(t *testing.T) {
	paths, err := filepath.Glob("testdata/valid-*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		require.NoError(t, loadTestdata(t, strings.TrimSuffix(filepath.Base(path), ".yaml")), path)
	}
}

// TestProblemsHaveOneOrder checks that problems of one line keep the order of the rules.
func TestProblemsHaveOneOrder(t *testing.T) {
	first := loadTestdata(t, "invalid-production-everything").Error()
	for range 20 {
		require.Equal(t, first, loadTestdata(t, "invalid-production-everything").Error())
	}
}
