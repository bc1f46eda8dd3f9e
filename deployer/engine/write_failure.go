package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/balancer/v3-backend-infra/internal/text"
)

// StateWriteFailure describes a state that a run could not write to a directory.
//
// On a full disk the backend replaces the state by a truncated file, and the next attempt copies that over the backup. Only
// this process then knows what the run has done since the last complete backup: it restores the backup and adds those
// operations as pending ones, so that the next deployment checks their outcome.
type StateWriteFailure struct {
	// Stack and File identify the state. Truncated is false if nothing of it was written.
	Stack, File string
	Truncated   bool
	// Backup is the last complete state, written at BackupTime; "" if there is none that would help.
	Backup     string
	BackupTime time.Time
	// PendingAdded is the number of resources with an added pending operation.
	PendingAdded int
	// RestoreErr is the error of restoring the backup; nil if that succeeded.
	RestoreErr error
}

func (c *StateWriteFailure) String() string {
	what := fmt.Sprintf("the state of stack %s could not be written", c.Stack)
	if c.Truncated {
		what = fmt.Sprintf("the state file of stack %s is truncated", c.Stack)
	}
	switch {
	case c.Backup == "":
		return fmt.Sprintf("%s (%s), and there is no complete backup of it", what, c.File)
	case c.RestoreErr != nil:
		return fmt.Sprintf("%s (%s), and the backup of %s could not be restored: %v", what, c.File, c.formatBackupTime(), c.RestoreErr)
	}
	return fmt.Sprintf("%s; the backup of %s was restored, %s", what, c.formatBackupTime(), c.pendingText())
}

func (c *StateWriteFailure) pendingText() string {
	if c.PendingAdded == 0 {
		return "and this run had changed nothing"
	}
	return "with " + text.Plural(c.PendingAdded, "resource", "resources") + " of this run recorded as of unknown outcome"
}

func (c *StateWriteFailure) formatBackupTime() string {
	return c.BackupTime.UTC().Format("2006-01-02 15:04:05 UTC")
}

// hint returns how to continue.
func (c *StateWriteFailure) hint() string {
	importCommand := fmt.Sprintf("`deployer import --env %s --take`", c.Stack)
	switch {
	case c.Backup == "":
		return fmt.Sprintf("free some space on the disk of the state and remove the file: rm %q; then %s imports what exists in the account into a new state", c.File, importCommand)
	case c.RestoreErr != nil:
		return fmt.Sprintf("free some space on the disk of the state and restore the last complete backup: cp %q %q; then %s imports what it lacks",
			c.Backup, c.File, importCommand)
	}
	if c.PendingAdded == 0 {
		return "free some space on the disk of the state, and run the same command again"
	}
	return "free some space on the disk of the state, and run the same command again: it first checks the recorded resources in the account"
}

// writeErrorText is part of the engine's message about a state that it could not write.
const writeErrorText = "writing the new snapshot file"

// recoverFailedWrite checks whether a run has left the state truncated or outdated, and restores it. The run changed the
// resources in touched, and created the components in parents; stderr is the engine's output. It returns nil if the state is
// complete.
func (h *Handle) recoverFailedWrite(touched []Pending, parents []PlannedResource, stderr string) *StateWriteFailure {
	location := h.stack.stateError("")
	if location.File == "" {
		return nil
	}
	content, err := os.ReadFile(location.File)
	if err != nil {
		return nil // a missing state is handled elsewhere
	}
	truncated := !json.Valid(content)
	if !truncated && (len(touched) == 0 || !strings.Contains(stderr, writeErrorText)) {
		return nil
	}
	failure := &StateWriteFailure{Stack: h.stack.Name, File: location.File, Truncated: truncated, Backup: location.File}
	if truncated {
		failure.Backup = location.Backup
	}
	written, resources, complete := readBackupFile(failure.Backup)
	if !complete || resources == 0 && len(touched) > 0 {
		failure.Backup = "" // a state without resources has no place for pending operations
		return failure
	}
	failure.BackupTime = written
	h.removeFiles([]string{"stacks"}, func(path string) bool { // these only take space
		_, _, complete := readBackupFile(path)
		return strings.HasSuffix(path, ".tmp") || path == location.File+".bak" && !complete
	})
	failure.PendingAdded, failure.RestoreErr = restoreBackup(failure.Backup, failure.File, touched, parents)
	return failure
}

// restoreBackup replaces the state by a backup with pending operations for the touched resources, and returns their number.
func restoreBackup(from, to string, touched []Pending, parents []PlannedResource) (added int, err error) {
	content, err := os.ReadFile(from)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(from) // others may need to read it, too
	if err != nil {
		return 0, err
	}
	if content, added, err = withPending(content, touched, parents); err != nil {
		return 0, fmt.Errorf("add pending operations: %w", err)
	}
	return added, writeFile(to, content, renameio.WithStaticPermissions(info.Mode()))
}

// withPending adds pending operations to a state in the form in which a backend stores it.
func withPending(content []byte, touched []Pending, parents []PlannedResource) (edited []byte, added int, err error) {
	var outer, checkpoint map[string]json.RawMessage
	if err := json.Unmarshal(content, &outer); err != nil {
		return nil, 0, err
	}
	if err := json.Unmarshal(outer["checkpoint"], &checkpoint); err != nil {
		return nil, 0, err
	}
	var doc stateDocument
	if latest := checkpoint["latest"]; len(latest) > 0 {
		if err := json.Unmarshal(latest, &doc.Deployment); err != nil {
			return nil, 0, err
		}
	}
	if err := doc.decodeLists(); err != nil {
		return nil, 0, err
	}
	if _, err := doc.addParents(parents, nil); err != nil {
		return nil, 0, err
	}
	if added, err = doc.addPending(touched); err != nil {
		return nil, 0, err
	}
	if checkpoint["latest"], err = doc.encodeDeployment(); err != nil {
		return nil, 0, err
	}
	if outer["checkpoint"], err = json.Marshal(checkpoint); err != nil {
		return nil, 0, err
	}
	edited, err = json.Marshal(outer)
	return edited, added, err
}

// addPending adds pending operations, and returns the number of their resources.
func (d *stateDocument) addPending(touched []Pending) (int, error) {
	urns := map[string]bool{}
	for _, p := range touched {
		if urns[p.URN] || !isProgramType(p.Type) {
			continue
		}
		urns[p.URN] = true
		operation := apitype.OperationV2{Type: apitype.OperationTypeUpdating}
		if known := d.find(p.URN); known != nil {
			operation.Resource = *known
		} else {
			urn := resource.URN(p.URN)
			operation = apitype.OperationV2{Type: apitype.OperationTypeCreating, Resource: apitype.ResourceV3{URN: urn, Type: urn.Type(), Custom: true}}
		}
		raw, err := json.Marshal(operation)
		if err != nil {
			return 0, err
		}
		d.PendingOperations = append(d.PendingOperations, raw)
	}
	return len(urns), nil
}
