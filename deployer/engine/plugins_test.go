package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFindPlugin(t *testing.T) {
	for name, test := range map[string]struct {
		dirs, files []string
		variables   map[string]string
		onPath      bool
		want        PluginState
	}{
		"nothing":             {want: PluginState{Downloads: true}},
		"installed":           {dirs: []string{"resource-aws-v6.83.2"}, want: PluginState{Installed: true, Downloads: true}},
		"being downloaded":    {dirs: []string{"resource-aws-v6.83.2"}, files: []string{"resource-aws-v6.83.2.partial", "resource-aws-v6.83.2.lock"}, want: PluginState{Downloads: true}},
		"another version":     {dirs: []string{"resource-aws-v6.80.0", "resource-awsx-v6.83.2"}, want: PluginState{Others: []string{"v6.80.0"}, Downloads: true}},
		"no downloads":        {variables: map[string]string{"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "TRUE"}, want: PluginState{}},
		"a running provider":  {variables: map[string]string{"PULUMI_DEBUG_PROVIDERS": "awsx:1,aws:2"}, want: PluginState{Attached: true, Downloads: true}},
		"another one running": {variables: map[string]string{"PULUMI_DEBUG_PROVIDERS": "awsx:1"}, want: PluginState{Downloads: true}},
		"on PATH":             {onPath: true, want: PluginState{OnPath: "pulumi-resource-aws", Downloads: true}},
		"ignored on PATH":     {onPath: true, variables: map[string]string{"PULUMI_IGNORE_AMBIENT_PLUGINS": "1"}, want: PluginState{Downloads: true}},
	} {
		t.Run(name, func(t *testing.T) {
			home, bin := t.TempDir(), t.TempDir()
			for _, dir := range test.dirs {
				require.NoError(t, os.MkdirAll(filepath.Join(home, "plugins", dir), 0o755))
			}
			for _, file := range test.files {
				require.NoError(t, os.WriteFile(filepath.Join(home, "plugins", file), nil, 0o600))
			}
			if test.onPath {
				require.NoError(t, os.WriteFile(filepath.Join(bin, "pulumi-resource-aws"), []byte("#!/bin/sh\n"), 0o755))
				test.want.OnPath = ""
				if test.variables == nil {
					test.want.OnPath = filepath.Join(bin, "pulumi-resource-aws")
				}
			}
			t.Setenv("PATH", bin)
			test.want.Dir = filepath.Join(home, "plugins", "resource-aws-v6.83.2")
			variable := func(name string) string { return test.variables[name] }
			found, err := FindPlugin(Plugin{"aws", "v6.83.2"}, home, variable)
			require.NoError(t, err)
			require.Equal(t, test.want, found)
			// The user's own PULUMI_HOME takes precedence.
			own := func(name string) string { return map[string]string{"PULUMI_HOME": home}[name] + variable(name) }
			found, err = FindPlugin(Plugin{"aws", "v6.83.2"}, "/nowhere", own)
			require.NoError(t, err)
			require.Equal(t, test.want, found)
		})
	}
}
