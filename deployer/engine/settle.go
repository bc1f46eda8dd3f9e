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

// Creation is a resource that the program has and the state has not.
type Creation struct {
	URN, Type, Name string
	// Parent and Provider are what the state needs to know besides, Inputs what is known before it is made: a text that only
	// another change will bring is Unknown, a secret is Masked.
	Parent, Provider string
	Inputs           map[string]any
}

// creation reads a step of a preview.
func creation(m apitype.StepEventMetadata) Creation {
	typ, name := identify(m.URN)
	return Creation{
		URN: m.URN, Type: typ, Name: name, Parent: m.New.Parent, Provider: m.Provider, Inputs: plain(m.New.Inputs),
	}
}

// plain is a copy of properties in which what is secret or unknown is replaced.
func plain(properties map[string]any) map[string]any {
	masked, _ := mask(properties)
	return known(masked).(map[string]any)
}

// Found is a resource that is in the account already, and what it is imported by.
type Found struct {
	Creation
	ID string
}

// Settled is what Settle did.
type Settled struct {
	// Adopted are resources that were found and are in the state now, Strange those that bear the name of one of the program's
	// and were left alone, because accept did not take them for its own.
	Adopted, Strange []Found
	// Cleared are the operations whose outcome was unknown; what they were about has been read from the account.
	Cleared []Pending
}

// Settle brings the state in step with the account after a run that was killed: what was found becomes part of the state if the
// provider can read it, operations of unknown outcome are forgotten, and what they were about is read. Where it fails the state
// has nothing more in it than before; where it is killed, the next Settle goes on from there. Whole has everything read that is in the
// state: of a delete whose answer was lost, nothing else tells. A state that was restored is always read whole.
func (h *Handle) Settle(ctx context.Context, found []Found, whole bool, accept func(Found, map[string]any) bool) (Settled, error) {
	doc, err := h.exported(ctx)
	if err != nil {
		return Settled{}, err
	}
	h.sweep()
	before, err := doc.state()
	if err != nil {
		return Settled{}, h.damaged(err.Error())
	}
	targets := doc.unread()
	for _, p := range before.Pending {
		if slices.ContainsFunc(before.Resources, func(r Resource) bool { return r.URN == p.URN && !r.Component() }) {
			targets = append(targets, p.URN)
		}
	}
	for _, f := range found {
		if doc.add(f) {
			targets = append(targets, f.URN)
		}
	}
	whole = whole || before.Restored()
	settled := Settled{Cleared: before.Pending}
	// Writing the state takes the engine's lock, and so meets one that was left, even where there is nothing else to do.
	doc.PendingOperations = nil
	if err := h.imported(ctx, doc); err != nil {
		return Settled{}, err
	}
	if len(targets) == 0 && !whole {
		return settled, nil
	}
	slices.Sort(targets)
	read := Update{Targets: slices.Compact(targets), Message: "read what a killed run left"}
	if whole {
		read.Targets = nil
	}
	if _, err := h.Refresh(ctx, read, nil); err != nil {
		return Settled{}, h.withdraw(ctx, err)
	}
	if err := h.review(ctx, found, accept, &settled); err != nil || !before.Restored() {
		return settled, err
	}
	if doc, err = h.exported(ctx); err == nil {
		err = doc.mark(nil)
	}
	if err == nil {
		err = h.imported(ctx, doc)
	}
	return settled, err
}

// sweep removes what killed engines left half written in a directory: the backend writes NAME.N.tmp and renames it. One that cannot
// be removed does no harm. Whoever settles a stack keeps other engines from it.
// Source: https://pkg.go.dev/gocloud.dev/blob/fileblob
func (h *Handle) sweep() {
	h.remove([]string{"stacks", "history", "backups", "locks"}, func(path string) bool { return strings.HasSuffix(path, ".tmp") })
}

// dropCutAttributes removes the attributes of a backend's files of which a killed engine had not written the end: the backend writes
// NAME.attrs in place, does not read NAME where it makes no sense, and does without where there is none. Nothing that Pulumi reads
// is in it.
// Source: https://pkg.go.dev/gocloud.dev/blob/fileblob
func (h *Handle) dropCutAttributes() {
	h.remove([]string{"stacks", "locks"}, func(path string) bool {
		if !strings.HasSuffix(path, ".attrs") {
			return false
		}
		content, err := os.ReadFile(path)
		return err == nil && !json.Valid(content)
	})
}

// remove removes files of the stack from a backend that is a directory.
func (h *Handle) remove(from []string, which func(path string) bool) {
	dir := h.stack.backendDir()
	if dir == "" {
		return
	}
	for _, below := range from {
		_ = filepath.WalkDir(filepath.Join(dir, ".pulumi", below), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && h.own(path) && which(path) {
				_ = os.Remove(path)
			}
			return nil
		})
	}
}

// own reports whether a file of the backend belongs to the stack.
func (h *Handle) own(path string) bool {
	return strings.HasPrefix(filepath.Base(path), h.stack.Name+".") || filepath.Base(filepath.Dir(path)) == h.stack.Name
}

// withdraw takes back what was added and could not be read.
func (h *Handle) withdraw(ctx context.Context, cause error) error {
	ctx = context.WithoutCancel(ctx)
	doc, err := h.exported(ctx)
	if err == nil && doc.remove(doc.unread()) {
		err = h.imported(ctx, doc)
	}
	if err != nil {
		return fmt.Errorf("%w (taking back what could not be read: %w)", cause, err)
	}
	return cause
}

// review sees which of the found are in the state, and takes those out that are somebody else's.
func (h *Handle) review(ctx context.Context, found []Found, accept func(Found, map[string]any) bool, settled *Settled) error {
	doc, err := h.exported(ctx)
	if err != nil {
		return err
	}
	var strange []string
	for _, f := range found {
		r := doc.find(f.URN)
		switch {
		case r == nil:
		case accept(f, plain(r.Outputs)):
			settled.Adopted = append(settled.Adopted, f)
		default:
			strange = append(strange, f.URN)
			settled.Strange = append(settled.Strange, f)
		}
	}
	if doc.remove(strange) {
		return h.imported(ctx, doc)
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

// exported reads the whole state, with its secrets encrypted unless a flag says otherwise.
func (h *Handle) exported(ctx context.Context, flags ...string) (*stateDocument, error) {
	content, err := h.stateCommand(ctx, nil, append([]string{"stack", "export", "--stack", h.stack.Name}, flags...)...)
	if err != nil {
		return nil, err
	}
	doc, err := readExport([]byte(content))
	if err != nil {
		return nil, h.damaged(err.Error())
	}
	return doc, nil
}

// readExport reads a state as it is exported.
func readExport(content []byte) (*stateDocument, error) {
	var outer apitype.UntypedDeployment
	if err := json.Unmarshal(content, &outer); err != nil {
		return nil, err
	}
	doc, err := readDocument(outer.Deployment)
	if err != nil {
		return nil, err
	}
	doc.Version = outer.Version
	return doc, nil
}

// readDocument reads what is inside of an exported state.
func readDocument(inner json.RawMessage) (*stateDocument, error) {
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

// inner is what readDocument reads.
func (d *stateDocument) inner() ([]byte, error) {
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
	inner, err := d.inner()
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
func (d *stateDocument) each(look func(apitype.ResourceV3)) {
	for _, raw := range d.Resources {
		var r apitype.ResourceV3
		if json.Unmarshal(raw, &r) == nil {
			look(r)
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

// unread are resources that a Settle added and did not live to read: they have an ID and no properties, as no provider leaves one.
func (d *stateDocument) unread() []string {
	var urns []string
	d.each(func(r apitype.ResourceV3) {
		if r.Custom && !r.External && own(string(r.Type)) && len(r.Inputs) == 0 && len(r.Outputs) == 0 {
			urns = append(urns, string(r.URN))
		}
	})
	return urns
}

// add puts a resource that was found behind those it needs. What its inputs name it depends on, so that a destroy keeps the order.
// One whose parent or provider the state does not know was not made by this stack: they are noted before it is asked for.
func (d *stateDocument) add(f Found) bool {
	urn, _, _ := cutLast(f.Provider, "::")
	provider := d.find(urn)
	if d.find(f.URN) != nil || provider == nil || f.Parent != "" && d.find(f.Parent) == nil {
		return false
	}
	named := map[string]bool{}
	texts(f.Inputs, func(text string) { named[text] = true })
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

// texts calls look with every text in a value.
func texts(value any, look func(string)) {
	switch v := value.(type) {
	case string:
		look(v)
	case []any:
		for _, inner := range v {
			texts(inner, look)
		}
	case map[string]any:
		for _, inner := range v {
			texts(inner, look)
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

// imported makes the document the stack's state.
func (h *Handle) imported(ctx context.Context, d *stateDocument) error {
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

// Known reports whether a text is neither secret nor brought by another change only.
func Known(text string) bool {
	return text != "" && !strings.Contains(text, Unknown) && !strings.Contains(text, Masked)
}
