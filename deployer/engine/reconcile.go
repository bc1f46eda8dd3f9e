package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// PlannedResource is a resource that the program has and the state has not.
type PlannedResource struct {
	URN, Type, Name string
	// Parent and Provider are what the state needs to know besides, Inputs what is known before it is made: a text that only
	// another change will bring is Unknown, a secret is Masked.
	Parent, Provider string
	Inputs           map[string]any
}

// newPlannedResource reads a step of a preview.
func newPlannedResource(m apitype.StepEventMetadata) PlannedResource {
	typ, name := typeAndName(m.URN)
	return PlannedResource{
		URN: m.URN, Type: typ, Name: name, Parent: m.New.Parent, Provider: m.Provider, Inputs: maskAndReplaceUnknown(m.New.Inputs),
	}
}

// maskAndReplaceUnknown is a copy of properties in which what is secret or unknown is replaced.
func maskAndReplaceUnknown(properties map[string]any) map[string]any {
	masked, _ := mask(properties)
	return replaceUnknown(masked).(map[string]any)
}

// ImportCandidate is a resource that is in the account already, and what it is imported by.
type ImportCandidate struct {
	PlannedResource
	ID string
}

// ReconcileResult is what Settle did.
type ReconcileResult struct {
	// Imported are resources that were found and are in the state now, Strange those that bear the name of one of the program's
	// and were left alone, because accept did not take them for its own.
	Imported, Foreign []ImportCandidate
	// Resolved are the operations whose outcome was unknown; what they were about has been read from the account.
	Resolved []Pending
}

// Reconcile brings the state in step with the account after a run that was killed: what was found becomes part of the state if the
// provider can read it, operations of unknown outcome are forgotten, and what they were about is read. Where it fails the state
// has nothing more in it than before; where it is killed, the next Settle goes on from there. Whole has everything read that is in the
// state: of a delete whose answer was lost, nothing else tells. A state that was restored is always read whole.
func (h *Handle) Reconcile(ctx context.Context, candidates []ImportCandidate, refreshAll bool, accept func(ImportCandidate, map[string]any) bool) (ReconcileResult, error) {
	doc, err := h.exportState(ctx)
	if err != nil {
		return ReconcileResult{}, err
	}
	h.removeTempFiles()
	before, err := doc.state()
	if err != nil {
		return ReconcileResult{}, h.stateError(err.Error())
	}
	targets := doc.unrefreshed()
	for _, p := range before.Pending {
		if slices.ContainsFunc(before.Resources, func(r Resource) bool { return r.URN == p.URN && !r.Component() }) {
			targets = append(targets, p.URN)
		}
	}
	for _, f := range candidates {
		if doc.addCandidate(f) {
			targets = append(targets, f.URN)
		}
	}
	refreshAll = refreshAll || before.Restored()
	result := ReconcileResult{Resolved: before.Pending}
	// Writing the state takes the engine's lock, and so meets one that was left, even where there is nothing else to do.
	doc.PendingOperations = nil
	if err := h.importState(ctx, doc); err != nil {
		return ReconcileResult{}, err
	}
	if len(targets) == 0 && !refreshAll {
		return result, nil
	}
	slices.Sort(targets)
	read := Update{Targets: slices.Compact(targets), Message: "read what a killed run left"}
	if refreshAll {
		read.Targets = nil
	}
	if _, err := h.Refresh(ctx, read, nil); err != nil {
		return ReconcileResult{}, h.undoImport(ctx, err)
	}
	if err := h.verifyImported(ctx, candidates, accept, &result); err != nil || !before.Restored() {
		return result, err
	}
	if doc, err = h.exportState(ctx); err == nil {
		err = doc.setRestoredFrom(nil)
	}
	if err == nil {
		err = h.importState(ctx, doc)
	}
	return result, err
}

// removeTempFiles removes what killed engines left half written in a directory: the backend writes NAME.N.tmp and renames it. One that cannot
// be removed does no harm. Whoever settles a stack keeps other engines from it.
// Source: https://pkg.go.dev/gocloud.dev/blob/fileblob
func (h *Handle) removeTempFiles() {
	h.removeFiles([]string{"stacks", "history", "backups", "locks"}, func(path string) bool { return strings.HasSuffix(path, ".tmp") })
}

// removeCorruptAttributes removes the attributes of a backend's files of which a killed engine had not written the end: the backend writes
// NAME.attrs in place, does not read NAME where it makes no sense, and does without where there is none. Nothing that Pulumi reads
// is in it.
// Source: https://pkg.go.dev/gocloud.dev/blob/fileblob
func (h *Handle) removeCorruptAttributes() {
	h.removeFiles([]string{"stacks", "locks"}, func(path string) bool {
		if !strings.HasSuffix(path, ".attrs") {
			return false
		}
		content, err := os.ReadFile(path)
		return err == nil && !json.Valid(content)
	})
}

// removeFiles removes files of the stack from a backend that is a directory.
func (h *Handle) removeFiles(from []string, which func(path string) bool) {
	dir := h.stack.backendDir()
	if dir == "" {
		return
	}
	for _, below := range from {
		_ = filepath.WalkDir(filepath.Join(dir, ".pulumi", below), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && h.ownsFile(path) && which(path) {
				_ = os.Remove(path)
			}
			return nil
		})
	}
}

// ownsFile reports whether a file of the backend belongs to the stack.
func (h *Handle) ownsFile(path string) bool {
	return strings.HasPrefix(filepath.Base(path), h.stack.Name+".") || filepath.Base(filepath.Dir(path)) == h.stack.Name
}

// undoImport takes back what was added and could not be read.
func (h *Handle) undoImport(ctx context.Context, cause error) error {
	ctx = context.WithoutCancel(ctx)
	doc, err := h.exportState(ctx)
	if err == nil && doc.remove(doc.unrefreshed()) {
		err = h.importState(ctx, doc)
	}
	if err != nil {
		return fmt.Errorf("%w (taking back what could not be read: %w)", cause, err)
	}
	return cause
}

// verifyImported sees which of the found are in the state, and takes those out that are somebody else's.
func (h *Handle) verifyImported(ctx context.Context, candidates []ImportCandidate, accept func(ImportCandidate, map[string]any) bool, result *ReconcileResult) error {
	doc, err := h.exportState(ctx)
	if err != nil {
		return err
	}
	var foreign []string
	for _, f := range candidates {
		r := doc.find(f.URN)
		switch {
		case r == nil:
		case accept(f, maskAndReplaceUnknown(r.Outputs)):
			result.Imported = append(result.Imported, f)
		default:
			foreign = append(foreign, f.URN)
			result.Foreign = append(result.Foreign, f)
		}
	}
	if doc.remove(foreign) {
		return h.importState(ctx, doc)
	}
	return nil
}

// stateDocument is a state as it is exported. What is not looked at stays as it is.
type stateDocument struct {
	Version    int
	Deployment map[string]json.RawMessage
	Resources  []json.RawMessage
	// PendingOperations nil are none.
	PendingOperations []json.RawMessage
}

// exportState reads the whole state, with its secrets encrypted unless a flag says otherwise.
func (h *Handle) exportState(ctx context.Context, flags ...string) (*stateDocument, error) {
	content, err := h.stateCommand(ctx, nil, append([]string{"stack", "export", "--stack", h.stack.Name}, flags...)...)
	if err != nil {
		return nil, err
	}
	doc, err := decodeExport([]byte(content))
	if err != nil {
		return nil, h.stateError(err.Error())
	}
	return doc, nil
}

// decodeExport reads a state as it is exported.
func decodeExport(content []byte) (*stateDocument, error) {
	var outer apitype.UntypedDeployment
	if err := json.Unmarshal(content, &outer); err != nil {
		return nil, err
	}
	doc, err := decodeDeployment(outer.Deployment)
	if err != nil {
		return nil, err
	}
	doc.Version = outer.Version
	return doc, nil
}

// decodeDeployment reads what is inside of an exported state.
func decodeDeployment(inner json.RawMessage) (*stateDocument, error) {
	doc := &stateDocument{}
	for _, part := range []struct {
		from func() json.RawMessage
		to   any
	}{
		{func() json.RawMessage { return inner }, &doc.Deployment},
		{func() json.RawMessage { return doc.Deployment["resources"] }, &doc.Resources},
		{func() json.RawMessage { return doc.Deployment["pending_operations"] }, &doc.PendingOperations},
	} {
		if raw := part.from(); len(raw) > 0 {
			if err := json.Unmarshal(raw, part.to); err != nil {
				return nil, err
			}
		}
	}
	return doc, nil
}

// encodeDeployment is what readDocument reads.
func (d *stateDocument) encodeDeployment() ([]byte, error) {
	var err error
	if d.Deployment["resources"], err = json.Marshal(d.Resources); err != nil {
		return nil, err
	}
	delete(d.Deployment, "pending_operations")
	if len(d.PendingOperations) > 0 {
		if d.Deployment["pending_operations"], err = json.Marshal(d.PendingOperations); err != nil {
			return nil, err
		}
	}
	return json.Marshal(d.Deployment)
}

func (d *stateDocument) encode() ([]byte, error) {
	inner, err := d.encodeDeployment()
	if err != nil {
		return nil, err
	}
	return json.Marshal(apitype.UntypedDeployment{Version: d.Version, Deployment: inner})
}

func (d *stateDocument) state() (State, error) {
	content, err := d.encode()
	if err != nil {
		return State{}, err
	}
	return readState(content)
}

// each calls look with every resource.
func (d *stateDocument) each(visit func(apitype.ResourceV3)) {
	for _, raw := range d.Resources {
		var r apitype.ResourceV3
		if json.Unmarshal(raw, &r) == nil {
			visit(r)
		}
	}
}

// find returns the resource with the URN, or nil.
func (d *stateDocument) find(urn string) (found *apitype.ResourceV3) {
	d.each(func(r apitype.ResourceV3) {
		if string(r.URN) == urn && !r.Delete {
			found = &r
		}
	})
	return found
}

// unrefreshed are resources that a Settle added and did not live to read: they have an ID and no properties, as no provider leaves one.
func (d *stateDocument) unrefreshed() []string {
	var urns []string
	d.each(func(r apitype.ResourceV3) {
		if r.Custom && !r.External && isProgramType(string(r.Type)) && len(r.Inputs) == 0 && len(r.Outputs) == 0 {
			urns = append(urns, string(r.URN))
		}
	})
	return urns
}

// addCandidate puts a resource that was found behind those it needs. What its inputs name it depends on, so that a destroy keeps the order.
// One whose parent or provider the state does not know was not made by this stack: they are noted before it is asked for.
func (d *stateDocument) addCandidate(f ImportCandidate) bool {
	urn, _, _ := cutLast(f.Provider, "::")
	provider := d.find(urn)
	if d.find(f.URN) != nil || provider == nil || f.Parent != "" && d.find(f.Parent) == nil {
		return false
	}
	named := map[string]bool{}
	eachString(f.Inputs, func(text string) { named[text] = true })
	r := apitype.ResourceV3{
		URN: resource.URN(f.URN), Type: resource.URN(f.URN).Type(), Custom: true, ID: resource.ID(f.ID),
		Parent: resource.URN(f.Parent), Provider: string(provider.URN) + "::" + string(provider.ID),
	}
	d.each(func(other apitype.ResourceV3) {
		arn, _ := other.Outputs["arn"].(string)
		if other.Custom && other.ID != "" && (named[string(other.ID)] || named[arn] && arn != "") {
			r.Dependencies = append(r.Dependencies, other.URN)
		}
	})
	raw, err := json.Marshal(r)
	if err == nil { // it has nothing that could not be encoded
		d.Resources = append(d.Resources, raw)
	}
	return err == nil
}

// cutLast is strings.Cut at the last place.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// eachString calls look with every text in a value.
func eachString(value any, visit func(string)) {
	switch v := value.(type) {
	case string:
		visit(v)
	case []any:
		for _, inner := range v {
			eachString(inner, visit)
		}
	case map[string]any:
		for _, inner := range v {
			eachString(inner, visit)
		}
	}
}

// remove takes resources out, and reports whether there were any.
func (d *stateDocument) remove(urns []string) bool {
	before := len(d.Resources)
	d.Resources = slices.DeleteFunc(d.Resources, func(raw json.RawMessage) bool {
		var r apitype.ResourceV3
		return json.Unmarshal(raw, &r) == nil && slices.Contains(urns, string(r.URN))
	})
	return len(d.Resources) < before
}

// importState makes the document the stack's state.
func (h *Handle) importState(ctx context.Context, d *stateDocument) error {
	content, err := d.encode()
	if err != nil {
		return fmt.Errorf("encode the state of stack %s: %w", h.stack.Name, err)
	}
	ctx = context.WithoutCancel(ctx)
	// The engine writes a state as a whole, but on a full disk; what a full disk leaves is seen to.
	if _, err = h.stateCommand(ctx, content, "stack", "import", "--stack", h.stack.Name); err != nil {
		return err
	}
	return h.reload(ctx)
}

// IsKnown reports whether a text is neither secret nor brought by another change only.
func IsKnown(text string) bool {
	return text != "" && !strings.Contains(text, Unknown) && !strings.Contains(text, Masked)
}
