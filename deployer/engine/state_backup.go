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

// A state is verified when it is opened and after each run that changes anything, and a verified copy of it is kept
// before such a run. A state of which only the order is wrong is repaired by the engine, which sorts it; any other one is
// replaced by the newest verified copy.

// Repaired returns how Open repaired the state; "" where there was nothing to repair.
func (h *Handle) Repaired() string { return h.repaired }

// restoredOutput names the output of a stack whose state was replaced by a copy, with the time of the copy: the account is
// ahead of it until a Settle has read it. It is part of the state, so that whichever machine comes next knows.
const restoredOutput = "stateRestoredFrom"

// Restored reports whether a copy replaced the state, and nobody has read the account since.
func (s State) Restored() bool { return s.Outputs[restoredOutput].Value != nil }

// setRestoredFrom records in a state that it was restored, or, with nil, that the account was read since.
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

// backupFile returns the path of the verified copy: in the stack's work directory, away from what may damage the state. Each
// backend has its own.
func (h *Handle) backupFile() string {
	backend := sha256.Sum256([]byte(h.stack.backendURL()))
	return filepath.Join(h.stack.WorkDir, "state-"+hex.EncodeToString(backend[:6])+".json")
}

// saveBackup writes the state, as it was verified last, to the copy.
func (h *Handle) saveBackup(ctx context.Context) error {
	if h.stateUnknown {
		if err := h.reload(ctx); err != nil {
			return err
		}
	}
	if len(h.verified) == 0 {
		return nil // a stack that has no state yet
	}
	if err := writeFile(h.backupFile(), h.verified); err != nil {
		return fmt.Errorf("keep a copy of the state of stack %s: %w", h.stack.Name, cause(err))
	}
	return nil
}

// verifyState verifies the state that a run has left, and repairs it where it fails. It returns what it did. Other errors than a
// StateDamagedError say that the state could not be read.
func (h *Handle) verifyState(ctx context.Context, parents []PlannedResource) (string, error) {
	ctx = context.WithoutCancel(ctx)
	err := h.reload(ctx)
	if damaged := (*StateError)(nil); !errors.As(err, &damaged) || !damaged.repairable() {
		h.stateUnknown = err != nil
		return "", err
	}
	return h.repair(ctx, err, parents)
}

// reload reads and verifies the state.
func (h *Handle) reload(ctx context.Context) error {
	state, content, err := h.read(ctx)
	if err == nil {
		h.current, h.verified, h.stateUnknown = state, content, false
	}
	return err
}

// repair repairs a state that is there and cannot be used, and returns how. The components in frame, which a run has
// created since, become part of a copy that replaces it. The error is the given cause where nothing helped, or a
// ConcurrentUpdateError where another engine has locked the stack.
func (h *Handle) repair(ctx context.Context, cause error, parents []PlannedResource) (string, error) {
	doc, err := h.exportState(ctx)
	if err == nil && doc.verify() != nil && doc.isComplete() {
		if err := h.sortState(ctx); err != nil {
			return "", lockedOr(err, cause)
		}
		return fmt.Sprintf("%v; the engine put its resources in order again, and nothing is lost", cause), nil
	}
	backup, saved := h.newestBackup(ctx)
	repaired := fmt.Sprintf("%v; the verified copy of %s replaced it", cause, saved.UTC().Format(time.RFC3339))
	if backup == nil {
		// The engine drops references to what is missing: less than a copy has, and better than nothing.
		if doc == nil || len(doc.Resources) == 0 {
			return "", cause
		}
		if err := h.sortState(ctx); err != nil {
			return "", lockedOr(err, cause)
		}
		if backup, err = h.exportState(ctx); err != nil {
			return "", err
		}
		saved, repaired = time.Time{}, fmt.Sprintf("%v; there is no copy of it, and the engine removed what refers to missing resources", cause)
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

// lockedOr returns the error of a stack that is locked, else the other error.
func lockedOr(err, other error) error {
	if isError[*ConcurrentUpdateError](err) {
		return err
	}
	return other
}

// sortState lets the engine sort the state, and reads it again.
func (h *Handle) sortState(ctx context.Context) error {
	if _, err := h.stateCommand(ctx, nil, "state", "repair", "--stack", h.stack.Name, "--yes"); err != nil {
		return err
	}
	return h.reload(ctx)
}

// newestBackup returns the newest verified copy of the state: the deployer's own, one that the backend keeps in a directory,
// or an earlier version in a bucket; nil where there is none.
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
		if content, err := os.ReadFile(path); err == nil { // one that cannot be read is none
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

// readBackup reads and verifies a copy, as it is exported or as a backend keeps it.
func readBackup(content []byte) (*stateDocument, time.Time, error) {
	var outer struct {
		Version    int
		Features   []string
		Deployment json.RawMessage
		Checkpoint struct{ Latest json.RawMessage }
	}
	if err := json.Unmarshal(content, &outer); err != nil {
		return nil, time.Time{}, err
	}
	inner := outer.Deployment
	if len(inner) == 0 {
		inner = outer.Checkpoint.Latest
	}
	doc, err := decodeDeployment(inner)
	if err == nil {
		err = doc.verify()
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	doc.Version, doc.Features = cmp.Or(outer.Version, apitype.DeploymentSchemaVersionCurrent), outer.Features
	var manifest struct{ Time time.Time }
	_ = json.Unmarshal(doc.Deployment["manifest"], &manifest) // one without a time is the oldest
	return doc, manifest.Time, nil
}
