package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
)

// A state is verified when it is opened and after each run that changes anything, and a verified copy of it is kept
// before such a run. A state that fails is repaired by the engine, which sorts it and drops references to what is
// missing, or else replaced by the newest verified copy.

// Repaired returns how Open repaired the state; "" where there was nothing to repair.
func (h *Handle) Repaired() string { return h.repaired }

// Restored reports whether a copy replaced the state: the account is ahead of it, and has to be read.
func (h *Handle) Restored() bool { return h.restored }

// copyFile is where the verified copy is kept: in the stack's work directory, away from what may damage the state.
func (h *Handle) copyFile() string { return filepath.Join(h.stack.WorkDir, "state.verified.json") }

// keepCopy writes the state, as it was verified last, to the copy.
func (h *Handle) keepCopy() error {
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

// audit verifies the state that a run has left, and repairs it where it fails. It returns what it did.
func (h *Handle) audit(ctx context.Context, touched []Pending, frame []Creation) (string, error) {
	ctx = context.WithoutCancel(ctx)
	err := h.reload(ctx)
	if damaged := (*StateDamagedError)(nil); !errors.As(err, &damaged) || !damaged.repairable() {
		return "", err
	}
	return h.repair(ctx, err, touched, frame)
}

// reload reads and verifies the state.
func (h *Handle) reload(ctx context.Context) error {
	state, content, err := h.read(ctx)
	if err == nil {
		h.current, h.verified, h.outputs = state, content, state.Outputs
	}
	return err
}

// repair repairs a state that is there and cannot be used, and returns how. Where a copy replaces it, the resources in
// touched, which a run has worked on since, are noted in it as of unknown outcome, and frame has the components among
// them. The error is the given cause where nothing helped.
func (h *Handle) repair(ctx context.Context, cause error, touched []Pending, frame []Creation) (string, error) {
	if _, err := h.stateCommand(ctx, nil, "state", "repair", "--stack", h.stack.Name, "--yes"); err == nil && h.reload(ctx) == nil {
		return fmt.Sprintf("%s; the engine put its resources in order again, and nothing is lost", cause), nil
	}
	doc, written := h.newestCopy(ctx)
	if doc == nil {
		return "", cause
	}
	if _, err := doc.frame(frame, nil); err != nil {
		return "", errors.Join(cause, err)
	}
	noted, err := doc.note(touched)
	if err == nil {
		err = h.imported(ctx, doc)
	}
	if err != nil {
		return "", fmt.Errorf("%w; the copy of %s could not replace it: %w", cause, written.UTC().Format(time.RFC3339), err)
	}
	h.restored = true
	return fmt.Sprintf("%s; the verified copy of %s replaced it, with %d resources noted whose outcome is unknown",
		cause, written.UTC().Format(time.RFC3339), noted), nil
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
		if content, err := os.ReadFile(path); err == nil {
			consider(content)
		} else if !errors.Is(err, fs.ErrNotExist) {
			continue // a copy that cannot be read is none
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
