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

// IsKnown reports whether a text is neither secret nor brought by another change only.
func IsKnown(text string) bool {
	return text != "" && !strings.Contains(text, Unknown) && !strings.Contains(text, Masked)
}
