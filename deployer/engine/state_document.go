package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/workspace"
)

// stateDocument is an exported state. What is not edited stays as it was written.
type stateDocument struct {
	Version    int
	Features   []string
	Deployment map[string]json.RawMessage
	// Resources and PendingOperations are decoded parts of Deployment.
	Resources, PendingOperations []json.RawMessage `json:"-"`
	// decoded are the Resources that can be decoded, once they have been; an edit sets it to nil.
	decoded []apitype.ResourceV3
	// earlier is a document of the same stack, whose resources are not decoded again; nil if there is none.
	earlier *stateDocument
	// source is what was decoded, as it was exported or as a backend stores it, before any edit.
	source []byte
}

// exportState reads the state, with its secrets encrypted unless the flags contain --show-secrets.
func (h *Handle) exportState(ctx context.Context, flags ...string) (*stateDocument, error) {
	if len(flags) == 0 {
		if doc := h.readStateFile(); doc != nil {
			return doc, nil
		}
		if h.stack.isAbsent() {
			return nil, &NoStackError{Stack: h.stack.Name}
		}
	}
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

// readStateFile reads the state from the directory of the backend, in a tenth of the time that the engine needs to start. It
// returns nil where the state is elsewhere, compressed, empty, invalid, of another version or has invalid attributes: the engine is
// asked then, for its error.
func (h *Handle) readStateFile() *stateDocument {
	project, err := workspace.LoadProject(filepath.Join(h.stack.Project, "Pulumi.yaml"))
	if err != nil {
		return nil
	}
	file := h.stack.stateFile(string(project.Name))
	content, err := os.ReadFile(file)
	compressed, _ := filepath.Glob(file + ".[gz]*") // the engine takes the compressed one of two
	attributes, missing := os.ReadFile(file + ".attrs")
	if err != nil || len(compressed) > 0 || missing == nil && !json.Valid(attributes) {
		return nil
	}
	doc, written, err := decodeState(content, h.verified)
	if err != nil || written.IsZero() || len(doc.Resources) == 0 ||
		doc.Version != apitype.DeploymentSchemaVersionCurrent || len(doc.Features) > 0 {
		return nil
	}
	return doc
}

// isAbsent reports whether the backend is a directory without any file of the stack, neither where the engine stores a state nor
// where its early versions did. Asking the engine instead would take it a quarter of a second.
// Source: https://www.pulumi.com/docs/iac/concepts/state-and-backends/#project-scoped-stacks
func (s Stack) isAbsent() bool {
	project, err := workspace.LoadProject(filepath.Join(s.Project, "Pulumi.yaml"))
	if err != nil || s.backendDir() == "" {
		return false
	}
	stacks := filepath.Join(s.backendDir(), ".pulumi", "stacks")
	for _, dir := range []string{stacks, filepath.Join(stacks, string(project.Name))} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), s.Name+".json") {
				return false
			}
		}
	}
	return true
}

// importState replaces the stack's state by the document.
func (h *Handle) importState(ctx context.Context, d *stateDocument) error {
	content, err := d.encode()
	if err != nil {
		return fmt.Errorf("encode the state of stack %s: %w", h.stack.Name, err)
	}
	ctx = context.WithoutCancel(ctx)
	// The engine writes a state as a whole, except on a full disk, which stateCommand handles.
	if _, err = h.stateCommand(ctx, content, "stack", "import", "--stack", h.stack.Name); err != nil {
		return err
	}
	return h.reload(ctx)
}

// editState edits the state, and writes it if edit reports a change. It returns that report.
func (h *Handle) editState(ctx context.Context, edit func(*stateDocument) (changed bool, err error)) (bool, error) {
	doc, err := h.exportState(ctx)
	if err != nil {
		return false, err
	}
	changed, err := edit(doc)
	if err != nil || !changed {
		return false, err
	}
	return true, h.importState(ctx, doc)
}

// stateCommand runs a command of the engine that needs only the state.
func (h *Handle) stateCommand(ctx context.Context, input []byte, args ...string) (string, error) {
	operation := map[string]string{"export": "reading the state", "import": "writing the state", "repair": "repairing the state"}[args[1]]
	c := h.newProcess()
	var env []string
	for name, value := range h.stack.env() {
		env = append(env, name+"="+value)
	}
	out, _, _, err := c.Run(ctx, h.stack.WorkDir, bytes.NewReader(input), nil, nil, env, args...)
	if err != nil {
		failure := Failure{Run: operation}
		if args[1] == "import" && c.runningPID == 0 {
			failure.StateWrite = h.recoverFailedWrite(nil, nil, c.stderr)
		}
		return "", h.explain(ctx, err, c, failure)
	}
	return out, nil
}

func decodeExport(content []byte) (*stateDocument, error) {
	var doc stateDocument
	if err := json.Unmarshal(content, &doc); err != nil {
		return nil, err
	}
	doc.source = content
	return &doc, doc.decodeLists()
}

// decodeLists decodes the lists of a Deployment.
func (d *stateDocument) decodeLists() error {
	for name, list := range d.lists() {
		if raw := d.Deployment[name]; len(raw) > 0 {
			if err := json.Unmarshal(raw, list); err != nil {
				return err
			}
		}
	}
	return nil
}

// splitResources returns a state in the engine's compact form with an empty list of resources, and the resources. A resource is found by its
// text in the earlier document, which may be nil: most are the same after a run, in another order, and scanning a text as JSON takes longer than
// all else that is done with it. It returns content itself where that is in another form, or no JSON.
func splitResources(content []byte, earlier *stateDocument) (rest []byte, resources []json.RawMessage) {
	known := map[string]json.RawMessage{}
	if earlier != nil {
		for _, one := range earlier.Resources {
			known[beginning(one)] = one
		}
	}
	start := []byte(`"resources":[`)
	head, list, found := bytes.Cut(content, start)
	for found {
		one, isKnown := known[beginning(list)]
		after, same := bytes.CutPrefix(list, one)
		if !isKnown || !same {
			decoder := json.NewDecoder(bytes.NewReader(list))
			one = nil // or it would be written where the earlier document has it
			if decoder.Decode(&one) != nil {
				break
			}
			after = list[decoder.InputOffset():]
		}
		resources = append(resources, one)
		if list, found = bytes.CutPrefix(after, []byte(",")); !found && bytes.HasPrefix(after, []byte("]")) {
			return slices.Concat(head, start, after), resources
		}
	}
	return content, nil
}

// beginning returns the text of a resource up to the end of its URN, which comes first.
func beginning(resource []byte) string {
	urn, _, _ := bytes.Cut(resource, []byte(`",`))
	return string(urn)
}

func (d *stateDocument) lists() map[string]*[]json.RawMessage {
	return map[string]*[]json.RawMessage{"resources": &d.Resources, "pending_operations": &d.PendingOperations}
}

func (d *stateDocument) encode() ([]byte, error) {
	inner, err := d.encodeDeployment()
	if err != nil {
		return nil, err
	}
	return json.Marshal(apitype.UntypedDeployment{Version: d.Version, Features: d.Features, Deployment: inner})
}

// encodeDeployment encodes the deployment with its lists.
func (d *stateDocument) encodeDeployment() ([]byte, error) {
	inner := map[string]json.RawMessage{}
	maps.Copy(inner, d.Deployment)
	for name, list := range d.lists() {
		delete(inner, name)
		if len(*list) > 0 {
			raw, err := json.Marshal(*list)
			if err != nil {
				return nil, err
			}
			inner[name] = raw
		}
	}
	return json.Marshal(inner)
}

// written returns the time of the manifest; one without a time is older than any other.
func (d *stateDocument) written() time.Time {
	var manifest struct{ Time time.Time }
	_ = json.Unmarshal(d.Deployment["manifest"], &manifest)
	return manifest.Time
}

// edit calls change with each resource, and encodes those again for which it returns true. Numbers stay as they were
// written, and secrets encrypted.
func (d *stateDocument) edit(change func(resource map[string]any) bool) error {
	for i, raw := range d.Resources {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var r map[string]any
		if err := decoder.Decode(&r); err != nil {
			return err
		}
		if !change(r) {
			continue
		}
		edited, err := json.Marshal(r)
		if err != nil {
			return err
		}
		d.Resources[i], d.decoded = edited, nil
	}
	return nil
}

// each calls visit with each resource.
func (d *stateDocument) each(visit func(apitype.ResourceV3)) {
	if d.decoded == nil {
		d.decoded = decodeResources(d.Resources, d.earlier)
		d.earlier = nil
	}
	for _, r := range d.decoded {
		visit(r)
	}
}

// decodeResources returns the resources that can be decoded. It uses two processors, as nothing else runs while a state is read.
func decodeResources(raw []json.RawMessage, earlier *stateDocument) []apitype.ResourceV3 {
	known := map[string]apitype.ResourceV3{}
	if earlier != nil && len(earlier.decoded) == len(earlier.Resources) {
		for i, one := range earlier.Resources {
			known[string(one)] = earlier.decoded[i]
		}
	}
	decode := func(raw []json.RawMessage) []apitype.ResourceV3 {
		decoded := make([]apitype.ResourceV3, 0, len(raw))
		for _, one := range raw {
			r, unchanged := known[string(one)]
			if unchanged || json.Unmarshal(one, &r) == nil {
				decoded = append(decoded, r)
			}
		}
		return decoded
	}
	second := make(chan []apitype.ResourceV3, 1)
	go func() { second <- decode(raw[len(raw)/2:]) }()
	return append(decode(raw[:len(raw)/2]), <-second...)
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

// unrefreshed returns the resources that a killed Reconcile has added and not read: they have an ID and no properties.
func (d *stateDocument) unrefreshed() []string {
	var urns []string
	d.each(func(r apitype.ResourceV3) {
		if r.Custom && !r.External && isProgramType(string(r.Type)) && len(r.Inputs) == 0 && len(r.Outputs) == 0 {
			urns = append(urns, string(r.URN))
		}
	})
	return urns
}

// addCandidate adds a resource to import after those that it needs. It depends on what its inputs name, so that a destroy
// keeps the order. A candidate whose parent or provider is not in the state was not created by this stack.
func (d *stateDocument) addCandidate(f ImportCandidate) bool {
	urn, _, _ := cutLast(f.Provider, "::")
	provider := d.find(urn)
	if d.find(f.URN) != nil || provider == nil || f.Parent != "" && d.find(f.Parent) == nil {
		return false
	}
	named := map[string]bool{}
	replaceStrings(f.Inputs, func(text string) string {
		named[text] = true
		return text
	})
	r := apitype.ResourceV3{
		URN: resource.URN(f.URN), Type: resource.URN(f.URN).Type(), Custom: true, ID: resource.ID(f.ID),
		Parent: resource.URN(f.Parent), Provider: providerReference(*provider),
	}
	d.each(func(other apitype.ResourceV3) {
		arn, _ := other.Outputs["arn"].(string)
		if other.Custom && other.ID != "" && (named[string(other.ID)] || named[arn] && arn != "") {
			r.Dependencies = append(r.Dependencies, other.URN)
		}
	})
	raw, err := json.Marshal(r)
	if err == nil { // it contains nothing that cannot be encoded
		d.Resources, d.decoded = append(d.Resources, raw), nil
	}
	return err == nil
}

// addParents adds the parents that the state lacks, and reports whether there were any.
func (d *stateDocument) addParents(parents []PlannedResource, outputs map[string]any) (added bool, err error) {
	for _, c := range parents {
		urn := resource.URN(c.URN)
		if d.find(c.URN) != nil || !isProgramType(c.Type) && isDefaultProvider(c.URN) {
			continue
		}
		r := apitype.ResourceV3{URN: urn, Type: urn.Type(), Parent: resource.URN(c.Parent)}
		switch {
		case urn.Type() == resource.RootStackType:
			r.Outputs = outputs
		case !isProgramType(c.Type):
			r.Custom, r.ID, r.Inputs, r.Outputs = true, resource.ID(rand.Text()), c.Inputs, c.Inputs
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return added, fmt.Errorf("add %s to the state: %w", c.URN, err)
		}
		d.Resources, d.decoded, added = append(d.Resources, raw), nil, true
	}
	return added, nil
}

// cutLast splits a string at its last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// remove removes resources, and reports whether there were any.
func (d *stateDocument) remove(urns []string) bool {
	before := len(d.Resources)
	d.decoded = nil
	d.Resources = slices.DeleteFunc(d.Resources, func(raw json.RawMessage) bool {
		var r apitype.ResourceV3
		return json.Unmarshal(raw, &r) == nil && slices.Contains(urns, string(r.URN))
	})
	return len(d.Resources) < before
}

// ReplaceIDs replaces the IDs of resources, by URN, in the state: of those that were replaced in the account on purpose, so
// that the program does not replace them again. It replaces the old ID in the properties of the resource, too; the next
// Refresh reads all other differences.
//
// It reports whether anything was changed. It writes the state as a whole or not at all.
func (h *Handle) ReplaceIDs(ctx context.Context, ids map[string]string) (bool, error) {
	return h.editState(ctx, func(d *stateDocument) (bool, error) { return d.replaceIDs(ids) })
}

// SetProperty sets a property of a resource in the state, an input and output that only the provider reads. It calls no provider, and
// writes the state as a whole or not at all.
func (h *Handle) SetProperty(ctx context.Context, urn, name string, value any) error {
	_, err := h.editState(ctx, func(d *stateDocument) (bool, error) { return true, d.setProperty(urn, name, value) })
	return err
}

func (d *stateDocument) setProperty(urn, name string, value any) error {
	found := false
	err := d.edit(func(r map[string]any) bool {
		if r["urn"] != urn || r["delete"] == true { // a replaced resource that waits for its deletion has the same URN
			return false
		}
		for _, part := range []string{"inputs", "outputs"} {
			if properties, ok := r[part].(map[string]any); ok {
				properties[name] = value
			}
		}
		found = true
		return true
	})
	if err == nil && !found {
		err = fmt.Errorf("the state has no resource %q", urn)
	}
	return err
}

// replaceIDs reports whether any ID was another one.
func (d *stateDocument) replaceIDs(ids map[string]string) (changed bool, err error) {
	missing := maps.Clone(ids)
	err = d.edit(func(r map[string]any) bool {
		urn, _ := r["urn"].(string)
		id, wanted := ids[urn]
		if !wanted || r["delete"] == true { // a replaced resource that waits for its deletion has the same URN
			return false
		}
		delete(missing, urn)
		before, _ := r["id"].(string)
		if before == id {
			return false
		}
		r["id"], changed = id, true
		for _, properties := range []string{"inputs", "outputs"} {
			r[properties] = replaceStrings(r[properties], func(text string) string {
				if text == before {
					return id
				}
				return text
			})
		}
		return true
	})
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("the state has no resource %q", slices.Sorted(maps.Keys(missing)))
	}
	return changed, err
}
