package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/release"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

// runWithTimeout runs a command within its time limit; 0 is none.
func runWithTimeout(ctx context.Context, timeout time.Duration, run func(context.Context) error) error {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, fmt.Errorf("the time limit of %s has passed", timeout))
		defer cancel()
	}
	return run(ctx)
}

// notStartedResult is the result of a deployment that reached no phase, with the keys of one that did.
type notStartedResult struct {
	history.Deployment
	// Holder holds the environment's lock, where that is the reason.
	Holder *lock.Holder `json:"holder,omitempty"`
}

// trackingWriter reports whether anything was written to it.
type trackingWriter struct {
	io.Writer
	wrote bool
}

func (n *trackingWriter) Write(b []byte) (int, error) {
	n.wrote = true
	return n.Writer.Write(b)
}

// withJSONResult runs a deployment so that a program that reads its result as JSON gets one whatever happens to it.
func (s *services) withJSONResult(kind history.Kind, image string, run func() error) error {
	if s.flags.format != "json" {
		return run()
	}
	out := &trackingWriter{Writer: s.terminal.out}
	s.terminal.out = out
	began := clock.Real().Now().UTC()
	err := run()
	if err == nil || out.wrote {
		return err
	}
	name := s.targets.selected
	tag, digest := release.SplitImage(image)
	result := notStartedResult{Deployment: history.Deployment{
		Environment: name, Stack: environment.StackOf(name), Kind: kind, By: whoami(), Image: history.Image{Tag: cmp.Or(tag, digest)},
		Started: began, Ended: clock.Real().Now().UTC(), Outcome: history.Failed, Phases: []history.Phase{}, Error: err.Error(), Hint: hint.Of(err),
	}}
	if env, unknown := s.targets.environment(name); unknown == nil {
		result.Environment = env.Name
	}
	if exitCode(err) == codeInterrupted {
		result.Outcome = history.Interrupted
	}
	if held := (*lock.HeldError)(nil); errors.As(err, &held) {
		result.Holder = &held.Holder
	}
	if waited := (*lock.WaitInterruptedError)(nil); errors.As(err, &waited) {
		result.Holder = &waited.Held.Holder
	}
	result.Deployment = s.terminal.flags.addToRecord(result.Deployment)
	return errors.Join(err, ui.JSON(out, result))
}

// checkOutput rejects a file that cannot be written, before a command runs whose result would be lost.
func checkOutput(path string) error {
	if found, err := os.Stat(path); err == nil && found.IsDir() {
		return hint.With(fmt.Errorf("--output: %s is a directory", path), "name a file in it")
	}
	if found, err := os.Stat(filepath.Dir(path)); err != nil || !found.IsDir() {
		return hint.With(fmt.Errorf("--output: the directory %s does not exist", filepath.Dir(path)), "create it first, or name another file")
	}
	return nil
}

// outputMode is the mode of the files of --output. Any result may have a secret, or what an attacker would like to know.
const outputMode = 0o600

// writeFileAtomic writes a whole file or nothing, so that a full disk leaves what was there before. A new file can be read by its owner
// alone; one that exists keeps its permissions, such as those of a page that a web server reads. What is no regular file, such as a
// pipe or a device, is written to.
func writeFileAtomic(path string, content []byte) error {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		target, err = path, nil
	}
	if err != nil {
		return err
	}
	if found, err := os.Stat(target); err == nil && !found.Mode().IsRegular() {
		return os.WriteFile(target, content, outputMode)
	}
	return renameio.WriteFile(target, content, outputMode, renameio.WithExistingPermissions())
}
