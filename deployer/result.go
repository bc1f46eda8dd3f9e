package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/deployer/history"
	"github.com/balancer/v3-backend-infra/deployer/lock"
	"github.com/balancer/v3-backend-infra/deployer/ui"
	"github.com/balancer/v3-backend-infra/environment"
)

// notRun is the result of a deployment that came to no phase, with the keys of one that did.
type notRun struct {
	history.Deployment
	// Holder is who has the environment's lock, where that is the reason.
	Holder *lock.Holder `json:"holder,omitempty"`
}

// noticing is a writer that knows whether anything was written to it.
type noticing struct {
	io.Writer
	wrote bool
}

func (n *noticing) Write(b []byte) (int, error) {
	n.wrote = true
	return n.Writer.Write(b)
}

// wholly runs a deployment so that a program that reads its result as JSON finds one whatever becomes of it.
func (s settings) wholly(kind history.Kind, tag string, run func(settings) error) error {
	if s.format != "json" {
		return run(s)
	}
	out := &noticing{Writer: s.out}
	s.out = out
	began := clock.Real().Now().UTC()
	err := run(s)
	if err == nil || out.wrote {
		return err
	}
	result := notRun{Deployment: history.Deployment{
		Environment: s.name, Stack: environment.StackOf(s.name), Kind: kind, By: whoami(), Image: history.Image{Tag: tag},
		Started: began, Ended: clock.Real().Now().UTC(), Outcome: history.Failed, Phases: []history.Phase{}, Error: err.Error(), Hint: hint.Of(err),
	}}
	if env, unknown := s.environment(); unknown == nil {
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
	return errors.Join(err, ui.JSON(s.out, result))
}

// replaceFile writes a file as a whole or not at all, so that a full disk leaves what was there before. What is no file, such
// as a pipe or a device, is written to.
func replaceFile(path string, content []byte) error {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		target, err = path, nil
	}
	if err != nil {
		return err
	}
	found, err := os.Stat(target)
	if err == nil && !found.Mode().IsRegular() {
		return os.WriteFile(target, content, 0o644)
	}
	fresh := target + ".new"
	if err = os.WriteFile(fresh, content, 0o644); err == nil {
		err = os.Rename(fresh, target)
	}
	if err != nil {
		_ = os.Remove(fresh) // half a result is no result
	}
	return err
}
