package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"maps"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Stack says which stack to open, and how.
type Stack struct {
	// Project is the directory with Pulumi.yaml and Pulumi.<Name>.yaml; nothing is written there.
	Project string
	// Name is the stack's: dev, staging, production, shared.
	Name string
	// WorkDir is where the settings are copied to. It is made where it is missing, and belongs to this stack alone.
	WorkDir string
	// Home is where the engine keeps its plugins and logins; the user's PULUMI_HOME goes before it, and where both are
	// empty the engine's own default stands.
	Home string
	// BackendURL is where the state lives, such as s3://bucket or an absolute file:///directory, which is made where
	// it is missing. Empty leaves the choice to the user's PULUMI_BACKEND_URL or login.
	BackendURL string
	// SecretsProvider encrypts secrets in the state: passphrase, awskms://…; empty leaves the choice to the stack's
	// settings and the engine. It matters when the stack is made.
	SecretsProvider string
	// Env goes before the process's environment, which the engine inherits.
	Env map[string]string
	// Program is what Up, Preview and their like run unless an Update says otherwise.
	Program pulumi.RunFunc
	// Repair lets Open repair a state that is there and cannot be used. Only the holder of the stack's lock may ask for it.
	Repair bool
	// Stale reports whether the engines that hold locks of the stack are gone, so that a repair may remove these.
	Stale func([]Holder) bool
	// Versions returns earlier contents of the state's object in a bucket, the newest first; nil where nothing keeps them.
	Versions func(context.Context, Object) iter.Seq2[[]byte, error]
	// MustExist refuses with a NoStackError, where the stack would be made otherwise.
	MustExist bool
	// withoutSecretsProvider leaves out what the settings say of the secrets' encryption.
	withoutSecretsProvider bool
}

// Ephemeral is a stack of the same name and settings with nothing in it, which lies with all that belongs to it in dir:
// for a preview of what was never made. Whoever made dir removes it.
func (s Stack) Ephemeral(dir string) Stack {
	s.WorkDir, s.BackendURL = filepath.Join(dir, "work"), "file://"+filepath.ToSlash(filepath.Join(dir, "state"))
	s.SecretsProvider, s.withoutSecretsProvider, s.MustExist = "passphrase", true, false
	env := maps.Clone(s.Env)
	if env == nil {
		env = map[string]string{}
	}
	env["PULUMI_CONFIG_PASSPHRASE"] = rand.Text()
	s.Env = env
	return s
}

// Handle is an open stack. Its runs are made one after the other.
type Handle struct {
	engine  *Engine
	stack   Stack
	current State
	// verified is the current state as it is exported.
	verified []byte
	created  bool
	// stateUnknown says that the state could not be read after the last run.
	stateUnknown bool
	// repaired is how Open repaired the state.
	repaired string
}

// Created reports whether Open made the stack.
func (h *Handle) Created() bool { return h.created }

// Current returns the state as Open found it, or as the last run of this handle that changed anything left it.
func (h *Handle) Current() State { return h.current }

// Open prepares the stack's work copy, reads its state, and makes the stack where the backend does not know it. Errors
// are a NoStackError, StateDamagedError, PassphraseError, BackendError, or say which settings cannot be read.
func (e *Engine) Open(ctx context.Context, s Stack) (*Handle, error) {
	for _, path := range []*string{&s.Project, &s.WorkDir, &s.Home} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path) // the engine runs in another directory
		if err != nil {
			return nil, err
		}
		*path = absolute
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	if dir := s.backendDir(); dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, &BackendError{URL: s.BackendURL, Reason: cause(err).Error()}
		}
	}
	h := &Handle{engine: e, stack: s}
	h.removeCorruptAttributes()
	err := h.reload(ctx)
	damaged := (*StateError)(nil)
	switch {
	case isError[*NoStackError](err) && !s.MustExist:
		return h, h.create(ctx)
	case s.Repair && errors.As(err, &damaged) && damaged.repairable():
		h.repaired, err = h.repairAndUnlock(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// repairAndUnlock repairs as repair does, also where an engine that is gone has left its lock.
func (h *Handle) repairAndUnlock(ctx context.Context, cause error) (string, error) {
	repaired, err := h.repair(ctx, cause, nil)
	locked := (*ConcurrentUpdateError)(nil)
	if !errors.As(err, &locked) || h.stack.Stale == nil || !h.stack.Stale(locked.Holders) {
		return repaired, err
	}
	if err := h.Unlock(ctx); err != nil {
		return "", err
	}
	return h.repair(ctx, cause, nil)
}

// create makes the stack in the backend.
func (h *Handle) create(ctx context.Context) error {
	c := &process{engine: h.engine, listening: closedChannel()}
	ws, err := h.workspace(ctx, c, nil)
	if err != nil {
		return err
	}
	if err := ws.CreateStack(ctx, h.stack.Name); err != nil && !auto.IsCreateStack409Error(err) {
		return h.explain(ctx, err, c, Failure{Run: "making the stack"})
	}
	h.created = true
	return nil
}

// workspace is the Automation API's view of the work copy, for one run.
func (h *Handle) workspace(ctx context.Context, c *process, program pulumi.RunFunc) (auto.Workspace, error) {
	return auto.NewLocalWorkspace(ctx, auto.WorkDir(h.stack.WorkDir), auto.EnvVars(h.stack.env()),
		auto.SecretsProvider(h.stack.SecretsProvider), auto.Program(program), auto.Pulumi(c))
}

// env is what the engine gets besides the process's environment.
func (s Stack) env() map[string]string {
	env := map[string]string{}
	for name, value := range map[string]string{
		"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_HOME": s.Home,
		// Where the settings do not say how secrets are encrypted, the state does: without this, a machine without the
		// stack's key would make another one.
		// Source: https://www.pulumi.com/docs/iac/cli/environment-variables/
		"PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
	} {
		if _, set := os.LookupEnv(name); !set && value != "" {
			env[name] = value
		}
	}
	if s.BackendURL != "" {
		env["PULUMI_BACKEND_URL"] = s.BackendURL
	}
	maps.Copy(env, s.Env)
	return env
}

// backendDir is the directory of a file backend; empty for any other.
func (s Stack) backendDir() string {
	u, err := url.Parse(s.backendURL())
	switch {
	case err != nil || u.Scheme != "file":
		return ""
	case u.Host == "~":
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		return filepath.Join(home, filepath.FromSlash(u.Path))
	case u.Host != "" || !filepath.IsAbs(u.Path):
		return ""
	}
	return filepath.FromSlash(u.Path)
}

// selfManaged reports whether the backend is known to be a directory or bucket, where the state of a stack is never
// nothing.
func (s Stack) selfManaged() bool {
	u, err := url.Parse(s.backendURL())
	return err == nil && u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https"
}

// closedChannel is the channel of something that is the case from the beginning.
func closedChannel() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
