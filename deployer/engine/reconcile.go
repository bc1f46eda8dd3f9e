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

// PlannedResource is a resource that the program declares and the state lacks.
type PlannedResource struct {
	URN, Type, Name string
	// Parent and Provider are URNs. Inputs are those that are known before it is created: a text that only another change
	// determines is Unknown, a secret is Masked.
	Parent, Provider string
	Inputs           map[string]any
}

func newPlannedResource(m apitype.StepEventMetadata) PlannedResource {
	typ, name := typeAndName(m.URN)
	return PlannedResource{
		URN: m.URN, Type: typ, Name: name, Parent: m.New.Parent, Provider: m.Provider, Inputs: maskAndReplaceUnknown(m.New.Inputs),
	}
}

// maskAndReplaceUnknown returns a copy of properties without what is secret or unknown.
func maskAndReplaceUnknown(properties map[string]any) map[string]any {
	masked, _ := mask(properties)
	return replaceUnknown(masked).(map[string]any)
}

// ImportCandidate is a planned resource that exists in the account.
type ImportCandidate struct {
	PlannedResource
	ID string
}

// ReconcileResult is the result of Reconcile.
type ReconcileResult struct {
	// Imported are the candidates that are in the state now, Foreign those that accept refused.
	Imported, Foreign []ImportCandidate
	// Resolved are the operations whose outcome was unknown; their resources were read from the account.
	Resolved []Pending
}

// AddParents adds the components and providers that the state lacks, so that Reconcile can import their children. It adds
// the stack with its outputs, too, if the state does not have it. It calls no provider, and changes nothing in an account.
func (h *Handle) AddParents(ctx context.Context, parents []PlannedResource, outputs map[string]any) error {
	_, err := h.editState(ctx, func(d *stateDocument) (bool, error) { return d.addParents(parents, outputs) })
	return err
}

// Reconcile brings the state in sync with the account after a run that was killed. It imports the candidates that the
// provider can read and accept accepts, given their properties, removes operations of unknown outcome, and reads their resources. If it
// fails, the state has nothing more in it than before; if it is killed, the next Reconcile continues. RefreshAll reads every
// resource in the state: only that shows a delete whose response was lost. A state that was restored is always read so.
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
	// Writing the state needs the engine's lock, and so finds one that was left, even if there is nothing else to do.
	doc.PendingOperations = nil
	if err := h.importState(ctx, doc); err != nil {
		return ReconcileResult{}, err
	}
	if len(targets) == 0 && !refreshAll {
		return result, nil
	}
	slices.Sort(targets)
	read := Update{Targets: slices.Compact(targets), Message: "refresh after a run that was killed"}
	if refreshAll {
		read.Targets = nil
	}
	if _, err := h.Refresh(ctx, read, nil); err != nil {
		return ReconcileResult{}, h.undoImport(ctx, err)
	}
	if err := h.verifyImported(ctx, candidates, accept, &result); err != nil || !before.Restored() {
		return result, err
	}
	_, err = h.editState(ctx, func(d *stateDocument) (bool, error) { return true, d.setRestoredFrom(nil) })
	return result, err
}

// removeTempFiles removes the files that killed processes left in a directory: the backend writes NAME.N.tmp, writeFile
// .NAMEN, and both rename it. One that cannot be removed does no harm. The caller keeps other engines from the stack.
// Source: https://pkg.go.dev/gocloud.dev/blob/fileblob
func (h *Handle) removeTempFiles() {
	h.removeFiles([]string{"stacks", "history", "backups", "locks"}, func(path string) bool {
		return strings.HasSuffix(path, ".tmp") || strings.HasPrefix(filepath.Base(path), ".")
	})
}

// removeCorruptAttributes removes attributes that a killed engine has not written completely: the backend writes NAME.attrs
// in place, cannot read NAME if they are invalid, and does not need them. They contain nothing that Pulumi reads.
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

func (h *Handle) ownsFile(path string) bool {
	return strings.HasPrefix(strings.TrimPrefix(filepath.Base(path), "."), h.stack.Name+".") || filepath.Base(filepath.Dir(path)) == h.stack.Name
}

// undoImport removes the resources that could not be read.
func (h *Handle) undoImport(ctx context.Context, cause error) error {
	unread := func(d *stateDocument) (bool, error) { return d.remove(d.unrefreshed()), nil }
	if _, err := h.editState(context.WithoutCancel(ctx), unread); err != nil {
		return fmt.Errorf("%w (removing what could not be imported: %w)", cause, err)
	}
	return cause
}

// verifyImported returns in result which candidates are in the state, and removes those that belong to another stack.
func (h *Handle) verifyImported(ctx context.Context, candidates []ImportCandidate, accept func(ImportCandidate, map[string]any) bool, result *ReconcileResult) error {
	_, err := h.editState(ctx, func(d *stateDocument) (bool, error) {
		var foreign []string
		for _, f := range candidates {
			r := d.find(f.URN)
			switch {
			case r == nil:
			case accept(f, maskAndReplaceUnknown(r.Outputs)):
				result.Imported = append(result.Imported, f)
			default:
				foreign = append(foreign, f.URN)
				result.Foreign = append(result.Foreign, f)
			}
		}
		return d.remove(foreign), nil
	})
	return err
}

// IsKnown reports whether a text is neither secret nor determined only by another change.
func IsKnown(text string) bool {
	return text != "" && !strings.Contains(text, Unknown) && !strings.Contains(text, Masked)
}
