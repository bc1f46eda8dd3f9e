package engine

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// State is the state of a stack in the backend.
type State struct {
	// Updated is when the state was last written; zero if the stack was never deployed.
	Updated time.Time
	// Resources include the stack itself and providers.
	Resources []Resource
	// Pending are the operations that an earlier run started, and whose outcome is unknown.
	Pending []Pending
	// Outputs are those of the stack.
	Outputs map[string]Output
}

// Text returns an output that is a string, or "" if it does not exist or is secret.
func (s State) Text(output string) string {
	if s.Outputs[output].Secret {
		return ""
	}
	text, _ := s.Outputs[output].Value.(string)
	return text
}

// Resource is a resource in a state.
type Resource struct {
	URN, Type, Name string
	// ID is the provider's ID; empty for components.
	ID string
	// ARN is the provider's output of this name; empty where it has none.
	ARN string
	// Parent is the URN of its component.
	Parent    string
	Protected bool
	// Retained marks a resource that the account keeps when the state forgets it (retainOnDelete).
	Retained bool
	// PendingDeletion marks a replaced resource that waits for its deletion; another one with its URN may be in use.
	PendingDeletion bool
	// Dependencies are the URNs of all that it needs: parent, provider, and what its program or inputs refer to.
	Dependencies []string
	// Inputs are those of its program, with Masked in place of secrets.
	Inputs map[string]any
}

// Component reports whether the resource only groups others.
func (r Resource) Component() bool { return r.ID == "" }

// Deletable reports whether a destroy deletes the resource in the account. Of a component there is nothing there, and of what is kept,
// such as task definitions, the engine only removes the entry in the state.
func (r Resource) Deletable() bool { return !r.Component() && !keeps(r.Retained, r.Inputs) }

// keeps reports whether the account keeps a resource that the engine deletes: by its option retainOnDelete, or because its provider does
// nothing (skipDestroy).
func keeps(retained bool, inputs map[string]any) bool {
	return retained || inputs["skipDestroy"] == true
}

// initialization is the operation of a resource that the provider created or updated, and did not see ready. The engine would update it, which
// providers refuse where nothing is to change; reading it removes the errors.
// Source: https://github.com/pulumi/pulumi/blob/v3.274.1/pkg/resource/deploy/step_generator.go (InitErrors)
const initialization = "creating or updating"

// Pending is an operation whose outcome is unknown.
type Pending struct {
	URN, Type, Name string
	// Op is creating, updating, deleting, reading or importing, or creating or updating what was not seen to end.
	Op string
}

// Output is an exported value.
type Output struct {
	// Value has Masked in place of secrets.
	Value  any
	Secret bool
}

// State reads the state from the backend. It needs no lock and no passphrase.
func (h *Handle) State(ctx context.Context) (State, error) {
	state, _, err := h.read(ctx)
	return state, err
}

// read reads and verifies the state, and also returns its document.
func (h *Handle) read(ctx context.Context) (State, *stateDocument, error) {
	doc, err := h.exportState(ctx)
	if err != nil {
		return State{}, nil, err
	}
	if _, err := doc.verify(); err != nil {
		inconsistent := h.stateError(err.Error())
		inconsistent.Inconsistent = true
		return State{}, nil, inconsistent
	}
	state, err := doc.state()
	if err != nil {
		return State{}, nil, h.stateError(err.Error())
	}
	if state.Updated.IsZero() && h.stack.selfManaged() {
		return State{}, nil, h.stateError("it was emptied")
	}
	return state, doc, nil
}

// Outputs returns the stack's outputs as Open found them or the last Up of this handle left them.
func (h *Handle) Outputs() map[string]Output { return h.current.Outputs }

// Unlock removes the engine's locks of the stack, also those of other processes. The caller must make sure that no update is
// running, as it would lose its lock.
func (h *Handle) Unlock(ctx context.Context) error {
	c := h.newProcess()
	stack, err := h.selectStack(ctx, c, nil)
	if err != nil {
		return err
	}
	if err := stack.Cancel(ctx); err != nil {
		return h.explain(ctx, err, c, Failure{Run: "removing the lock"})
	}
	return nil
}

// state converts the document.
func (d *stateDocument) state() (State, error) {
	state := State{Updated: d.written()}
	d.each(func(r apitype.ResourceV3) {
		arn, _ := r.Outputs["arn"].(string)
		state.Resources = append(state.Resources, Resource{
			URN: string(r.URN), Type: string(r.Type), Name: r.URN.Name(),
			ID: string(r.ID), ARN: arn, Parent: string(r.Parent), Protected: r.Protect, Retained: r.RetainOnDelete, PendingDeletion: r.Delete,
			Dependencies: dependencies(r), Inputs: maskProperties(r.Inputs),
		})
		if r.Type == resource.RootStackType {
			state.Outputs = maskOutputs(r.Outputs)
		}
		if len(r.InitErrors) > 0 {
			state.Pending = append(state.Pending, Pending{URN: string(r.URN), Type: string(r.Type), Name: r.URN.Name(), Op: initialization})
		}
	})
	for _, raw := range d.PendingOperations {
		var op apitype.OperationV2
		if err := json.Unmarshal(raw, &op); err != nil {
			return State{}, err
		}
		urn := op.Resource.URN
		state.Pending = append(state.Pending,
			Pending{URN: string(urn), Type: string(urn.Type()), Name: urn.Name(), Op: string(op.Type)})
	}
	return state, nil
}

// dependencies returns the URNs of all that a resource needs.
func dependencies(r apitype.ResourceV3) []string {
	urns := []resource.URN{r.Parent, r.DeletedWith}
	if provider, _, ok := cutLast(r.Provider, "::"); ok {
		urns = append(urns, resource.URN(provider))
	}
	urns = append(urns, r.Dependencies...)
	for _, property := range r.PropertyDependencies {
		urns = append(urns, property...)
	}
	urns = append(urns, r.ReplaceWith...)
	slices.Sort(urns)
	var all []string
	for _, urn := range slices.Compact(urns) {
		if urn != "" {
			all = append(all, string(urn))
		}
	}
	return all
}

// maskProperties masks the secrets in properties.
func maskProperties(properties map[string]any) map[string]any {
	if properties == nil {
		return nil
	}
	values, _ := mask(properties)
	return values.(map[string]any)
}

func maskOutputs(values map[string]any) map[string]Output {
	outputs := make(map[string]Output, len(values))
	for name, value := range values {
		masked, secret := mask(value)
		outputs[name] = Output{Value: masked, Secret: secret}
	}
	return outputs
}

// mask masks the secrets in a value, and reports whether there were any.
func mask(value any) (any, bool) {
	secret := false
	switch v := value.(type) {
	case map[string]any:
		if v[resource.SigKey] == resource.SecretSig {
			return Masked, true
		}
		masked := make(map[string]any, len(v))
		for key, inner := range v {
			value, found := mask(inner)
			masked[key], secret = value, secret || found
		}
		return masked, secret
	case []any:
		masked := make([]any, len(v))
		for i, inner := range v {
			value, found := mask(inner)
			masked[i], secret = value, secret || found
		}
		return masked, secret
	}
	return value, false
}

// outputFile receives a child's output in an unlinked file. A pipe would break when this process is killed, and the engine,
// which is killed by its next write, would leave its lock and pending operations behind. A pipe would also stay open until
// every plugin that inherited it has ended.
type outputFile struct {
	*os.File
	writers []io.Writer
}

func newOutputFile(writers []io.Writer) (*outputFile, error) {
	file, err := os.CreateTemp("", "pulumi-*")
	if err != nil {
		return nil, err
	}
	return &outputFile{file, writers}, os.Remove(file.Name())
}

// read returns the whole output, and copies it to the writers.
func (o *outputFile) read() string {
	var all strings.Builder
	// Output that cannot be read is no failure: the events and the exit code describe the run.
	_, _ = o.Seek(0, io.SeekStart)
	_, _ = io.Copy(io.MultiWriter(append(o.writers, &all)...), o.File)
	return all.String()
}
