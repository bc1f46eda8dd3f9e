package engine

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/blang/semver"
)

// Version is the version of the engine that this program is tested with. Later ones of the same major version are accepted.
const Version = "v3.274.1"

// Options configure Find.
type Options struct {
	// Explicit is the value of --pulumi or $DEPLOYER_PULUMI; "" if neither is set. No other engine is tried then.
	Explicit string
	// ProjectDir is the project's root; its bin/pulumi is preferred.
	ProjectDir string
	// Home is where the engine writes its logs when it is run for its version, unless the user's PULUMI_HOME is set.
	Home string
}

// Engine is a pulumi binary of a supported version. It implements the Automation API's PulumiCommand.
type Engine struct {
	path    string
	version semver.Version
}

// Path returns the path of the binary.
func (e *Engine) Path() string { return e.path }

// Version returns the version of the binary.
func (e *Engine) Version() semver.Version { return e.version }

// Find returns the engine that was named, else the project's own bin/pulumi, else pulumi on PATH. The error is a
// NotFoundError or a TooOldError.
func Find(ctx context.Context, o Options) (*Engine, error) {
	if o.Explicit != "" {
		return newEngine(ctx, o.Explicit, o.Home)
	}
	projectEngine := filepath.Join(o.ProjectDir, "bin", "pulumi")
	if _, err := os.Stat(projectEngine); !errors.Is(err, fs.ErrNotExist) {
		return newEngine(ctx, projectEngine, o.Home)
	}
	if _, err := exec.LookPath("pulumi"); err != nil {
		return nil, &NotFoundError{Searched: []string{projectEngine, "PATH"}}
	}
	return newEngine(ctx, "pulumi", o.Home)
}

// newEngine returns the engine with the name or path, if its version is supported.
func newEngine(ctx context.Context, name, home string) (*Engine, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, &NotFoundError{Explicit: name, Err: cause(err)}
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	version, known := builtVersion(path)
	if !known {
		if version, err = queryVersion(ctx, path, home); err != nil {
			return nil, err
		}
	}
	if !isSupported(version) {
		return nil, &TooOldError{Path: path, Version: "v" + version.String()}
	}
	return &Engine{path: path, version: version}, nil
}

// builtVersion reads the version from the build information of a binary that was built from the engine's module, as
// bin/pulumi is: to run it for that would cost each command a quarter of a second. Releases of Pulumi and the shims of
// version managers have none.
func builtVersion(path string) (semver.Version, bool) {
	info, err := buildinfo.ReadFile(path)
	if err != nil || info.Main.Path != "github.com/pulumi/pulumi/pkg/v3" ||
		!slices.Contains(info.Settings, debug.BuildSetting{Key: "GOOS", Value: runtime.GOOS}) ||
		!slices.Contains(info.Settings, debug.BuildSetting{Key: "GOARCH", Value: runtime.GOARCH}) {
		return semver.Version{}, false
	}
	version, err := semver.ParseTolerant(info.Main.Version)
	return version, err == nil
}

// queryVersion runs the binary to learn its version.
func queryVersion(ctx context.Context, path, home string) (semver.Version, error) {
	cmd := exec.CommandContext(ctx, path, "version")
	cmd.Env = append(os.Environ(), "PULUMI_SKIP_UPDATE_CHECK=true")
	if _, chosen := os.LookupEnv("PULUMI_HOME"); !chosen && home != "" {
		cmd.Env = append(cmd.Env, "PULUMI_HOME="+home)
	}
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			return semver.Version{}, context.Cause(ctx)
		}
		return semver.Version{}, &NotFoundError{Explicit: path, Err: cause(err)}
	}
	output := strings.TrimSpace(string(out))
	version, err := semver.ParseTolerant(output)
	if err != nil {
		return semver.Version{}, &NotFoundError{Explicit: path, Err: fmt.Errorf("its version is %q", output)}
	}
	return version, nil
}

// isSupported reports whether a version has the major version of Version and is not older. A prerelease counts as its
// release.
func isSupported(version semver.Version) bool {
	pinned := semver.MustParse(strings.TrimPrefix(Version, "v"))
	version.Pre = nil
	return version.Major == pinned.Major && version.GTE(pinned)
}

// cause returns an error without the operation and the path, which the caller names anyway.
func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if lookup, ok := errors.AsType[*exec.Error](err); ok {
		return lookup.Err
	}
	return err
}
