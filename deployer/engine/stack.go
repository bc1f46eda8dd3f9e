package engine

import (
	"context"

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
	// Home is where the engine keeps its plugins and logins; PULUMI_HOME goes before it, and where both are empty the
	// engine's own default stands.
	Home string
	// BackendURL is where the state lives, such as s3://bucket or an absolute file:///directory; empty leaves the
	// choice to the user's PULUMI_BACKEND_URL or login.
	BackendURL string
	// SecretsProvider encrypts secrets in the state: passphrase, awskms://… ; empty leaves the choice to the stack's
	// file and the engine. It matters on the stack's creation only.
	SecretsProvider string
	// Env goes before the process's environment, which the engine inherits.
	Env map[string]string
	// Program is what Up, Preview and their like run unless an Update says otherwise.
	Program pulumi.RunFunc
	// MustExist refuses with a NoStackError, where the stack would be created otherwise.
	MustExist bool
}

// Handle is an open stack. Its runs are made one after the other.
type Handle struct {
	engine *Engine
	stack  Stack
	before State
	exists bool
}

// Created reports whether Open made the stack.
func (h *Handle) Created() bool { return !h.exists }

// Before is the state as Open found it.
func (h *Handle) Before() State { return h.before }

// Update says what a run is about.
type Update struct {
	// Program replaces the stack's where it is not nil.
	Program pulumi.RunFunc
	// Targets and Excludes are URNs, in which ** stands for anything. Only one of them can be given.
	Targets, Excludes []string
	// TargetDependents and ExcludeDependents take in what depends on them.
	TargetDependents, ExcludeDependents bool
	// Message is kept in the stack's history.
	Message string
	// Refresh reads every resource from the account before the run.
	Refresh bool
	// ClearPendingCreates makes a Refresh forget creates of unknown outcome.
	ClearPendingCreates bool
	// Parallel bounds the resources that are worked on at once; 0 is the engine's own bound.
	Parallel int
	// Total is how many steps are expected, for the events' sake; 0 where it is not known.
	Total int
}

// Open prepares the stack's work copy and makes the stack where the backend does not know it.
func (e *Engine) Open(ctx context.Context, s Stack) (*Handle, error) {
	return nil, nil
}

// Up brings the stack to what the program says.
func (h *Handle) Up(ctx context.Context, u Update, tell func(Event)) (Summary, error) {
	return Summary{}, nil
}

// Destroy deletes the stack's resources; protected ones are refused. The stack itself and its history stay.
func (h *Handle) Destroy(ctx context.Context, u Update, tell func(Event)) (Summary, error) {
	return Summary{}, nil
}

// Refresh takes what the account says into the state, without running the program.
func (h *Handle) Refresh(ctx context.Context, u Update, tell func(Event)) (Summary, error) {
	return Summary{}, nil
}

// Preview says what Up would do, and changes nothing.
func (h *Handle) Preview(ctx context.Context, u Update, tell func(Event)) (Plan, error) {
	return Plan{}, nil
}

// PreviewRefresh says how the account differs from the state, and changes nothing. Old values are the state's, new
// ones the account's; a resource that is gone is a delete.
func (h *Handle) PreviewRefresh(ctx context.Context, u Update, tell func(Event)) (Plan, error) {
	return Plan{}, nil
}

// State reads what the backend knows of the stack. It takes no lock.
func (h *Handle) State(ctx context.Context) (State, error) {
	return State{}, nil
}

// Outputs are the stack's, as its last update left them.
func (h *Handle) Outputs(ctx context.Context) (map[string]Output, error) {
	return nil, nil
}

// Unlock removes the engine's locks of the stack, whoever holds them. An update that is under way then loses what
// keeps others out: make sure that there is none.
func (h *Handle) Unlock(ctx context.Context) error {
	return nil
}
