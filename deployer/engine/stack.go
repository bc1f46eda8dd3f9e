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

// Stack configures the stack to open.
type Stack struct {
	// Project is the directory with Pulumi.yaml and Pulumi.<Name>.yaml. Open writes nothing there.
	Project string
	// Name is the stack's name: dev, staging, production, shared.
	Name string
	// WorkDir receives copies of the settings. Open creates it, and it belongs to this stack alone.
	WorkDir string
	// Home is where the engine keeps its plugins and logins. The user's PULUMI_HOME takes precedence; if both are empty the
	// engine's default applies.
	Home string
	// BackendURL is where the state is stored, such as s3://bucket or an absolute file:///directory, which Open creates.
	// Empty means the user's PULUMI_BACKEND_URL or login.
	BackendURL string
	// GatedURL is the same backend for runs under the stack's lock: an address through which only the lock's holder can write.
	// Empty means that the lock needs none. It has a secret, and is in no message.
	GatedURL string
	// OnEngine receives the ID of each process of the engine when it starts, and 0 when it has ended; nil if no one needs it.
	OnEngine func(pid int)
	// SecretsProvider encrypts secrets in the state: passphrase, awskms://…; empty means the stack's settings or the engine's
	// default. It matters when the stack is created.
	SecretsProvider string
	// Env overrides the process's environment, which the engine inherits.
	Env map[string]string
	// Program is the program of Up and Preview, unless an Update has one.
	Program pulumi.RunFunc
	// Repair lets Open repair a state that cannot be used. Only the holder of the stack's lock may set it.
	Repair bool
	// Stale reports whether the engines that hold locks of the stack have ended, so that a repair may remove the locks.
	Stale func([]Holder) bool
	// Versions returns earlier contents of the state's object in a bucket, the newest first; nil if the backend is none.
	Versions func(context.Context, Object) iter.Seq2[[]byte, error]
	// MustExist makes Open fail with a NoStackError instead of creating the stack.
	MustExist bool
	// OwnEncryption ignores the encryption in the project's settings: it belongs to another stack of that name.
	OwnEncryption bool
}

// Ephemeral returns an empty stack of the same name and settings, which is stored completely in dir: for a preview of what
// was never created. The caller removes dir.
func (s Stack) Ephemeral(dir string) Stack {
	s.WorkDir, s.BackendURL = filepath.Join(dir, "work"), "file://"+filepath.ToSlash(filepath.Join(dir, "state"))
	s.MustExist, s.GatedURL = false, ""
	if !s.OwnEncryption { // the key of a real account may not exist yet
		s.SecretsProvider, s.OwnEncryption = "passphrase", true
		s.Env = maps.Collect(maps.All(s.Env))
		s.Env["PULUMI_CONFIG_PASSPHRASE"] = rand.Text()
	}
	return s
}

// Handle is an open stack. It does one run at a time.
type Handle struct {
	// find returns the engine, which is looked for once.
	find    func() (*Engine, error)
	stack   Stack
	current State
	// verified is the current state's document; nil before there is one.
	verified *stateDocument
	// stateUnknown reports that the state could not be read after the last run.
	stateUnknown bool
	// repaired is how Open repaired the state.
	repaired string
}

// Current returns the state as Open found it, or as the last run of this handle left it.
func (h *Handle) Current() State { return h.current }

// Open copies the stack's settings, reads its state, and creates the stack if it does not exist. The error is a NoStackError,
// StateError, PassphraseError, BackendError, or names the settings that cannot be read.
func (e *Engine) Open(ctx context.Context, s Stack) (*Handle, error) {
	return Open(ctx, func() (*Engine, error) { return e, nil }, s)
}

// Open does what Engine.Open does while the engine is looked for: a state in a directory is read without it. An error of find
// precedes the others.
func Open(ctx context.Context, find func() (*Engine, error), s Stack) (*Handle, error) {
	h, err := open(ctx, find, s)
	if _, notFound := find(); notFound != nil {
		return nil, notFound
	}
	return h, err
}

func open(ctx context.Context, find func() (*Engine, error), s Stack) (*Handle, error) {
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
	h := &Handle{find: find, stack: s}
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

// repairAndUnlock calls repair, and removes the lock of an engine that has ended if there is one.
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

func (h *Handle) create(ctx context.Context) error {
	c := h.newProcess()
	ws, err := h.workspace(ctx, c, nil)
	if err != nil {
		return err
	}
	if err := ws.CreateStack(ctx, h.stack.Name); err != nil && !auto.IsCreateStack409Error(err) {
		return h.explain(ctx, err, c, Failure{Run: "creating the stack"})
	}
	return nil
}

// workspace returns the Automation API's workspace for one run.
func (h *Handle) workspace(ctx context.Context, c *process, program pulumi.RunFunc) (auto.Workspace, error) {
	return auto.NewLocalWorkspace(ctx, auto.WorkDir(h.stack.WorkDir), auto.EnvVars(h.stack.env()),
		auto.SecretsProvider(h.stack.SecretsProvider), auto.Program(program), auto.Pulumi(c))
}

func (h *Handle) selectStack(ctx context.Context, c *process, program pulumi.RunFunc) (auto.Stack, error) {
	ws, err := h.workspace(ctx, c, program)
	if err != nil {
		return auto.Stack{}, err
	}
	return auto.SelectStack(ctx, h.stack.Name, ws)
}

// env returns the engine's environment, in addition to that of this process.
func (s Stack) env() map[string]string {
	env := map[string]string{}
	for name, value := range map[string]string{
		"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_HOME": s.Home,
		// If the settings do not name the secrets' encryption, the state does: without this, a machine without the stack's
		// key would create another one.
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
	if s.GatedURL != "" {
		env["PULUMI_BACKEND_URL"] = s.GatedURL
	}
	return env
}

// backendDir returns the directory of a file backend, or "" for any other.
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

// selfManaged reports whether the backend is known to be a directory or bucket, where the state of a stack is never empty.
func (s Stack) selfManaged() bool {
	u, err := url.Parse(s.backendURL())
	return err == nil && u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https"
}
