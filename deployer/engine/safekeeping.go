package engine

import (
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

// mark notes in a state that it was restored, or, with nil, that the account was read since.
func (d *stateDocument) mark(restoredFrom any) error {
	for i, raw := range d.Resources {
		var r map[string]any
		if err := json.Unmarshal(raw, &r); err != nil || r["type"] != string(resource.RootStackType) {
			continue
		}
		outputs, _ := r["outputs"].(map[string]any)
		if outputs == nil {
			outputs = map[string]any{}
		}
		if outputs[restoredOutput] = restoredFrom; restoredFrom == nil {
			delete(outputs, restoredOutput)
		}
		r["outputs"] = outputs
		marked, err := json.Marshal(r)
		if err != nil {
			return err
		}
		d.Resources[i] = marked
	}
	return nil
}

// copyFile returns the path of the verified copy: in the stack's work directory, away from what may damage the state. Each
// backend has its own.
func (h *Handle) copyFile() string {
	backend := sha256.Sum256([]byte(h.stack.backendURL()))
	return filepath.Join(h.stack.WorkDir, "state-"+hex.EncodeToString(backend[:6])+".json")
}

// keepCopy writes the state, as it was verified last, to the copy.
func (h *Handle) keepCopy(ctx context.Context) error {
	if h.unread {
		if err := h.reload(ctx); err != nil {
			return err
		}
	}
	if len(h.verified) == 0 {
		return nil // a stack that has no state yet
	}
	err := replace(h.stack.WorkDir, filepath.Base(h.copyFile()), func(path string) error {
		return os.WriteFile(path, h.verified, 0o600)
	})
	if err != nil {
		return fmt.Errorf("keep a copy of the state of stack %s: %w", h.stack.Name, cause(err))
	}
	return nil
}

// audit verifies the state that a run has left, and repairs it where it fails. It returns what it did. Other errors than a
// StateDamagedError say that the state could not be read.
func (h *Handle) audit(ctx context.Context, frame []Creation) (string, error) {
	ctx = context.WithoutCancel(ctx)
	err := h.reload(ctx)
	if damaged := (*StateDamagedError)(nil); !errors.As(err, &damaged) || !damaged.repairable() {
		h.unread = err != nil
		return "", err
	}
	return h.repair(ctx, err, frame)
}

// reload reads and verifies the state.
func (h *Handle) reload(ctx context.Context) error {
	state, content, err := h.read(ctx)
	if err == nil {
		h.current, h.verified, h.unread = state, content, false
	}
	return err
}

// repair repairs a state that is there and cannot be used, and returns how. The components in frame, which a run has
// created since, become part of a copy that replaces it. The error is the given cause where nothing helped, or a
// ConcurrentUpdateError where another engine has locked the stack.
func (h *Handle) repair(ctx context.Context, cause error, frame []Creation) (string, error) {
	doc, err := h.exported(ctx)
	if err == nil && doc.verify() != nil && doc.complete() {
		if err := h.sorted(ctx); err != nil {
			return "", refusedOr(err, cause)
		}
		return fmt.Sprintf("%v; the engine put its resources in order again, and nothing is lost", cause), nil
	}
	saved, written := h.newestCopy(ctx)
	how := fmt.Sprintf("%v; the verified copy of %s replaced it", cause, written.UTC().Format(time.RFC3339))
	if saved == nil {
		// The engine drops references to what is missing: less than a copy has, and better than nothing.
		if doc == nil || len(doc.Resources) == 0 {
			return "", cause
		}
		if err := h.sorted(ctx); err != nil {
			return "", refusedOr(err, cause)
		}
		if saved, err = h.exported(ctx); err != nil {
			return "", err
		}
		written, how = time.Time{}, fmt.Sprintf("%v; there is no copy of it, and the engine removed what refers to missing resources", cause)
	}
	if _, err = saved.frame(frame, nil); err == nil {
		err = saved.mark(written.UTC().Format(time.RFC3339))
	}
	if err == nil {
		err = h.imported(ctx, saved)
	}
	if err != nil {
		return "", refusedOr(err, fmt.Errorf("%w; it could not be replaced: %w", cause, err))
	}
	return how + ". The next deployment reads the account for what was changed since", nil
}

// refusedOr returns the error of a stack that is locked, else the other error.
func refusedOr(err, other error) error {
	if is[*ConcurrentUpdateError](err) {
		return err
	}
	return other
}

// sorted lets the engine sort the state, and reads it again.
func (h *Handle) sorted(ctx context.Context) error {
	if _, err := h.stateCommand(ctx, nil, "state", "repair", "--stack", h.stack.Name, "--yes"); err != nil {
		return err
	}
	return h.reload(ctx)
}

// newestCopy returns the newest verified copy of the state: the deployer's own, one that the backend keeps in a directory,
// or an earlier version in a bucket; nil where there is none.
func (h *Handle) newestCopy(ctx context.Context) (newest *stateDocument, written time.Time) {
	consider := func(content []byte) bool {
		doc, at, err := readCopy(content)
		if err != nil || len(doc.Resources) == 0 {
			return false
		}
		if newest == nil || at.After(written) {
			newest, written = doc, at
		}
		return true
	}
	for _, path := range []string{h.copyFile(), h.stack.damage("").Backup} {
		if content, err := os.ReadFile(path); err == nil { // one that cannot be read is none
			consider(content)
		}
	}
	if h.stack.Versions != nil {
		for content, err := range h.stack.Versions(ctx, h.stack.damage("").Object) {
			if err != nil || consider(content) {
				break // the newest comes first
			}
		}
	}
	return newest, written
}

// readCopy reads and verifies a copy, as it is exported or as a backend keeps it.
func readCopy(content []byte) (*stateDocument, time.Time, error) {
	var outer struct {
		Version    int
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
	doc, err := readDocument(inner)
	if err == nil {
		err = doc.verify()
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	doc.Version = apitype.DeploymentSchemaVersionCurrent
	if outer.Version > 0 {
		doc.Version = outer.Version
	}
	var manifest struct{ Time time.Time }
	_ = json.Unmarshal(doc.Deployment["manifest"], &manifest) // one without a time is the oldest
	return doc, manifest.Time, nil
}
