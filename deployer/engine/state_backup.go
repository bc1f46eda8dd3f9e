package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// A state is verified when it is opened and after each run that changes anything, and backed up before such a run. The engine
// repairs a state in which only the order is wrong; any other one is replaced by the newest verified backup.

// Repaired returns how Open repaired the state, or "" if that was not necessary.
func (h *Handle) Repaired() string { return h.repaired }

// restoredOutput is the output of a stack whose state was replaced by a backup, with the time of the backup: the account is
// ahead of the state until Reconcile has read it. It is part of the state, so that every machine knows.
const restoredOutput = "stateRestoredFrom"

// Restored reports whether a backup replaced the state, and the account was not read since.
func (s State) Restored() bool { return s.Outputs[restoredOutput].Value != nil }

// setRestoredFrom records that the state was restored, or, with nil, that the account was read since.
func (d *stateDocument) setRestoredFrom(value any) error {
	return d.edit(func(r map[string]any) bool {
		if r["type"] != string(resource.RootStackType) {
			return false
		}
		outputs, _ := r["outputs"].(map[string]any)
		if outputs == nil {
			outputs = map[string]any{}
		}
		if outputs[restoredOutput] = value; value == nil {
			delete(outputs, restoredOutput)
		}
		r["outputs"] = outputs
		return true
	})
}

// backupFile returns the path of the verified backup: in the stack's work directory, away from what may damage the state.
// Each backend has its own.
func (h *Handle) backupFile() string {
	backend := sha256.Sum256([]byte(h.stack.backendURL()))
	return filepath.Join(h.stack.WorkDir, "state-"+hex.EncodeToString(backend[:6])+".json")
}

// saveBackup backs up the state, as it was verified last.
func (h *Handle) saveBackup(ctx context.Context) error {
	if h.stateUnknown {
		if err := h.reload(ctx); err != nil {
			return err
		}
	}
	if h.verified == nil {
		return nil // a stack that has no state yet
	}
	if err := writeFile(h.backupFile(), h.verified.source); err != nil {
		return fmt.Errorf("back up the state of stack %s: %w", h.stack.Name, cause(err))
	}
	return nil
}

// verifyState verifies the state after a run, repairs it if necessary, and returns how. An error that is no StateError means
// that the state could not be read.
func (h *Handle) verifyState(ctx context.Context, parents []PlannedResource) (string, error) {
	ctx = context.WithoutCancel(ctx)
	err := h.reload(ctx)
	if damaged := (*StateError)(nil); !errors.As(err, &damaged) || !damaged.repairable() {
		h.stateUnknown = err != nil
		return "", err
	}
	return h.repair(ctx, err, parents)
}

func (h *Handle) reload(ctx context.Context) error {
	state, doc, err := h.read(ctx)
	if err == nil {
		h.current, h.verified, h.stateUnknown = state, doc, false
	}
	return err
}

// repair repairs a state that cannot be used, and returns how. It adds the components in parents, which a run has created, to
// a backup that replaces the state. The error is the given cause if nothing helped, or a ConcurrentUpdateError if another
// engine has locked the stack.
func (h *Handle) repair(ctx context.Context, cause error, parents []PlannedResource) (string, error) {
	doc, err := h.exportState(ctx)
	sortable := false
	if err == nil {
		sortable, _ = doc.verify()
	}
	if sortable {
		if err := h.sortState(ctx); err != nil {
			return "", lockedOr(err, cause)
		}
		return fmt.Sprintf("%v; the engine sorted its resources, and nothing is lost", cause), nil
	}
	backup, saved := h.newestBackup(ctx)
	repaired := fmt.Sprintf("%v; the verified backup of %s replaced it", cause, saved.UTC().Format(time.RFC3339))
	if backup == nil {
		// The engine removes references to what is missing: that leaves less than a backup has, but more than nothing.
		if doc == nil || len(doc.Resources) == 0 {
			return "", cause
		}
		if err := h.sortState(ctx); err != nil {
			return "", lockedOr(err, cause)
		}
		if backup, err = h.exportState(ctx); err != nil {
			return "", err
		}
		saved, repaired = time.Time{}, fmt.Sprintf("%v; there is no backup of it, and the engine removed references to missing resources", cause)
	}
	if _, err = backup.addParents(parents, nil); err == nil {
		err = backup.setRestoredFrom(saved.UTC().Format(time.RFC3339))
	}
	if err == nil {
		err = h.importState(ctx, backup)
	}
	if err != nil {
		return "", lockedOr(err, fmt.Errorf("%w; it could not be replaced: %w", cause, err))
	}
	return repaired + ". The next deployment reads the account for what was changed since", nil
}

// lockedOr returns err if it reports a locked stack, else the other error.
func lockedOr(err, other error) error {
	if isError[*ConcurrentUpdateError](err) {
		return err
	}
	return other
}

// sortState runs the engine to sort the state, and reads it again.
func (h *Handle) sortState(ctx context.Context) error {
	if _, err := h.stateCommand(ctx, nil, "state", "repair", "--stack", h.stack.Name, "--yes"); err != nil {
		return err
	}
	return h.reload(ctx)
}

// newestBackup returns the newest verified backup of the state: the deployer's own, one that the backend keeps in a directory,
// or an earlier version in a bucket. It returns nil if there is none.
func (h *Handle) newestBackup(ctx context.Context) (newest *stateDocument, written time.Time) {
	consider := func(content []byte) bool {
		doc, at, err := readBackup(content)
		if err != nil || len(doc.Resources) == 0 {
			return false
		}
		if newest == nil || at.After(written) {
			newest, written = doc, at
		}
		return true
	}
	for _, path := range []string{h.backupFile(), h.stack.stateError("").Backup} {
		if content, err := os.ReadFile(path); err == nil { // there may be none
			consider(content)
		}
	}
	if h.stack.Versions != nil {
		for content, err := range h.stack.Versions(ctx, h.stack.stateError("").Object) {
			if err != nil || consider(content) {
				break // the newest comes first
			}
		}
	}
	return newest, written
}

// readBackup decodes and verifies a backup, as it is exported or as a backend stores it.
func readBackup(content []byte) (*stateDocument, time.Time, error) { return decodeState(content, nil) }

// decodeState does what readBackup does. Resources that have not changed since the earlier document are not decoded again; it may be nil.
func decodeState(content []byte, earlier *stateDocument) (*stateDocument, time.Time, error) {
	rest, resources := splitResources(content, earlier)
	doc, err := decodeDocument(rest)
	switch {
	case len(resources) == 0:
	case err == nil && string(doc.Deployment["resources"]) == "[]":
		doc.Resources = resources
	default: // another list has the name
		doc, err = decodeDocument(content)
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	doc.Version, doc.source, doc.earlier = cmp.Or(doc.Version, apitype.DeploymentSchemaVersionCurrent), content, earlier
	if _, err = doc.verify(); err != nil {
		return nil, time.Time{}, err
	}
	return doc, doc.written(), nil
}

// decodeDocument decodes a state, as it is exported or as a backend stores it.
func decodeDocument(content []byte) (*stateDocument, error) {
	var outer struct {
		stateDocument
		Checkpoint struct{ Latest map[string]json.RawMessage }
	}
	if err := json.Unmarshal(content, &outer); err != nil {
		return nil, err
	}
	doc := outer.stateDocument
	if doc.Deployment == nil {
		doc.Deployment = outer.Checkpoint.Latest
	}
	return &doc, doc.decodeLists()
}

// verify returns why the engine would refuse to use a state: a resource that comes before one that it needs, that needs a
// missing one, or that exists twice. The engine checks this before it changes anything, and not when it exports a state. It
// reports whether only the order of the resources is wrong, so that the engine can sort them.
// Source: VerifyIntegrity in https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/snapshot.go
func (d *stateDocument) verify() (sortable bool, err error) {
	sortable = true
	report := func(order bool, format string, args ...any) {
		if err == nil {
			err = fmt.Errorf(format, args...)
		}
		sortable = sortable && order
	}
	var all []apitype.ResourceV3
	anywhere := map[string]bool{}
	d.each(func(r apitype.ResourceV3) {
		all = append(all, r)
		anywhere[string(r.URN)], anywhere[providerReference(r)] = true, true
	})
	if len(all) != len(d.Resources) {
		report(false, "%d of its resources cannot be read", len(d.Resources)-len(all))
	}
	before, live := map[string]bool{}, map[resource.URN]bool{}
	for i, r := range all {
		switch {
		case r.URN == "" || r.Type == "":
			report(false, "its resource %d has no URN or no type", i)
		case !r.Custom && r.ID != "":
			report(false, "the component %s has an ID", r.URN)
		case live[r.URN] && !r.Delete:
			report(false, "the resource %s exists twice", r.URN)
		case r.Provider != "" && !r.PendingReplacement && !before[r.Provider]:
			report(anywhere[r.Provider], "the resource %s needs the provider %s, which is not before it", r.URN, r.Provider)
		}
		r.Provider = ""
		for _, urn := range dependencies(r) {
			switch {
			case before[urn]:
			case anywhere[urn]:
				report(true, "the resource %s needs %s, which comes after it", r.URN, urn)
			default:
				report(false, "the resource %s needs %s, which is missing", r.URN, urn)
			}
		}
		before[string(r.URN)] = true
		if isProvider(r.Type) {
			before[providerReference(r)] = true
		}
		live[r.URN] = live[r.URN] || !r.Delete
	}
	return sortable && err != nil, err
}

// providerReference returns how resources refer to a provider.
func providerReference(r apitype.ResourceV3) string { return string(r.URN) + "::" + string(r.ID) }
