package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Plugin is a resource plugin of the engine.
type Plugin struct {
	// Name is aws, for instance, Version has a v before it.
	Name, Version string
}

// PluginState is where the engine finds a plugin.
type PluginState struct {
	// Attached reports that the engine connects to one that is running, by PULUMI_DEBUG_PROVIDERS.
	Attached bool
	// OnPath is the binary on PATH, which takes precedence whatever its version; "" where there is none.
	OnPath string
	// Dir is the directory of the installed version, Installed whether it is complete.
	Dir       string
	Installed bool
	// Others are the other versions that are installed.
	Others []string
	// Downloads reports that the engine downloads what is missing.
	Downloads bool
}

// FindPlugin returns where the engine finds a plugin, with the same precedence. home is the engine's PULUMI_HOME unless the user has set one.
// Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/workspace/plugins.go
func FindPlugin(p Plugin, home string, variable func(string) string) (PluginState, error) {
	if own := variable("PULUMI_HOME"); own != "" {
		home = own
	}
	dir := filepath.Join(home, "plugins")
	prefix := "resource-" + p.Name + "-"
	found := PluginState{
		Dir: filepath.Join(dir, prefix+p.Version), Downloads: !isTrue(variable("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION")),
	}
	for attached := range strings.SplitSeq(variable("PULUMI_DEBUG_PROVIDERS"), ",") {
		if name, _, ok := strings.Cut(attached, ":"); ok && name == p.Name {
			found.Attached = true
		}
	}
	if !isTrue(variable("PULUMI_IGNORE_AMBIENT_PLUGINS")) {
		if path, err := exec.LookPath("pulumi-resource-" + p.Name); err == nil {
			found.OnPath = path
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return found, fmt.Errorf("list the plugins: %w", err)
	}
	partial := map[string]bool{}
	for _, e := range entries {
		if name, is := strings.CutSuffix(e.Name(), ".partial"); is {
			partial[name] = true
		}
	}
	for _, e := range entries {
		switch version, is := strings.CutPrefix(e.Name(), prefix); {
		case !is || !e.IsDir() || partial[e.Name()]:
		case version == p.Version:
			found.Installed = true
		default:
			found.Others = append(found.Others, version)
		}
	}
	return found, nil
}

// isTrue reports whether the engine takes the value of an environment variable for true.
func isTrue(value string) bool { return value == "1" || strings.EqualFold(value, "true") }
