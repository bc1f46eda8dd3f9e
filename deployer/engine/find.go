package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/blang/semver"
)

// Version is the engine that this program is built and tested with. An engine of the same major version that is not
// older is accepted.
const Version = "v3.274.1"

// Options say where to look for the engine.
type Options struct {
	// Explicit is what --pulumi or $DEPLOYER_PULUMI named; empty where nobody did. Nothing else is tried then.
	Explicit string
	// ProjectDir is the project's root; its bin/pulumi comes first.
	ProjectDir string
	// Home is where the engine keeps its logs, unless the user's PULUMI_HOME says otherwise: asked for its version, it
	// writes one too. What it answered is remembered there, until the binary changes; where Home is empty it is not.
	Home string
}

// Engine is a pulumi binary of a usable version. It implements the Automation API's PulumiCommand.
type Engine struct {
	path    string
	version semver.Version
}

// Path is the binary's.
func (e *Engine) Path() string { return e.path }

// Version is what the binary said of itself.
func (e *Engine) Version() semver.Version { return e.version }

// Find returns the engine that was named, else the project's own bin/pulumi, else a recent enough pulumi on PATH. The
// error is a NotFoundError or a TooOldError.
func Find(ctx context.Context, o Options) (*Engine, error) {
	if o.Explicit != "" {
		path, err := exec.LookPath(o.Explicit)
		if err != nil {
			return nil, &NotFoundError{Explicit: o.Explicit, Err: cause(err)}
		}
		return newEngine(ctx, path, o.Home)
	}
	projectEngine := filepath.Join(o.ProjectDir, "bin", "pulumi")
	if _, err := os.Stat(projectEngine); !errors.Is(err, fs.ErrNotExist) {
		return newEngine(ctx, projectEngine, o.Home)
	}
	path, err := exec.LookPath("pulumi")
	if err != nil {
		return nil, &NotFoundError{Searched: []string{projectEngine, "PATH"}}
	}
	return newEngine(ctx, path, o.Home)
}

// newEngine is the engine at the path, if it is a usable one.
func newEngine(ctx context.Context, path, home string) (*Engine, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	before, lasting := identity(path)
	lasting = lasting && home != ""
	if lasting {
		if version, known := recall(home, before); known {
			return &Engine{path: path, version: version}, nil
		}
	}
	e, err := queryVersion(ctx, path, home)
	if err == nil && lasting {
		remember(home, before, e.version)
	}
	return e, err
}

// queryVersion runs the binary to learn its version.
func queryVersion(ctx context.Context, path, home string) (*Engine, error) {
	cmd := exec.CommandContext(ctx, path, "version")
	cmd.Env = append(os.Environ(), "PULUMI_SKIP_UPDATE_CHECK=true")
	if _, chosen := os.LookupEnv("PULUMI_HOME"); !chosen && home != "" {
		cmd.Env = append(cmd.Env, "PULUMI_HOME="+home)
	}
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, &NotFoundError{Explicit: path, Err: cause(err)}
	}
	output := strings.TrimSpace(string(out))
	version, err := semver.ParseTolerant(output)
	if err != nil {
		return nil, &NotFoundError{Explicit: path, Err: fmt.Errorf("its version is %q", output)}
	}
	if !isSupported(version) {
		return nil, &TooOldError{Path: path, Version: output}
	}
	return &Engine{path: path, version: version}, nil
}

// isSupported reports whether version has the pinned one's major version and is not older than it. A development build
// counts as the release that it leads to.
func isSupported(version semver.Version) bool {
	pinned := semver.MustParse(strings.TrimPrefix(Version, "v"))
	version.Pre = nil
	return version.Major == pinned.Major && version.GTE(pinned)
}

// cause strips what the caller says anyway: the operation and the path.
func cause(err error) error {
	var path *fs.PathError
	var lookup *exec.Error
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &lookup):
		return lookup.Err
	}
	return err
}
