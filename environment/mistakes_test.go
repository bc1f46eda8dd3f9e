package environment

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is missing is called so, a mistyped key has its line, and a hint names a file that would be valid.
func TestMissingAndMistyped(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, FileName("dev")))
	require.NoError(t, err)
	api := string(source)[strings.Index(string(source), "      api:"):]
	api = api[:strings.Index(api[1:], "\n      worker:")+1]
	for name, test := range map[string]struct{ stack, old, new, want string }{
		"a service":         {"dev", api, "", "services.api: it is missing; give its cpu and memory"},
		"a mistyped config": {"dev", "config:", "confg:", "Pulumi.dev.yaml:LINE: confg: unknown key; did you mean config?"},
		"a mistyped environment": {"dev", "v3-backend:environment:", "v3-backend:environmentt:",
			"Pulumi.dev.yaml:LINE: config.v3-backend:environmentt: unknown key; did you mean v3-backend:environment?"},
		"a file in capitals": {"QA", "name: development", "name: qa", `rename the file to Pulumi.qa.yaml, and call the environment "qa"`},
		"a file of digits":   {"1x", "name: development", "name: qa", `the file's name, Pulumi.1x.yaml, is not that of an environment; use lower-case letters`},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(string(source), test.old, test.new, 1)
			require.NotEqual(t, string(source), changed)
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, FileName(test.stack)), []byte(changed), 0o600))
			_, err := Load(dir, test.stack)
			before, _, _ := strings.Cut(changed, test.new)
			line := strconv.Itoa(strings.Count(before, "\n") + 1)
			require.ErrorContains(t, err, strings.ReplaceAll(test.want, "LINE", line))
			require.NotContains(t, err.Error(), "0 CPU units")
		})
	}
}
