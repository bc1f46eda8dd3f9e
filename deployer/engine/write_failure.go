package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// StateWriteFailure is what became of a state that a run could not write, in a backend that is a directory.
//
// On a full disk the backend puts half a file in the state's place, and the next try copies that over the backup. What
// the run has done since the last intact copy is then known to nobody but this process: it is noted in the copy as
// operations of unknown outcome, which is what makes the next deployment look.
type StateWriteFailure struct {
	// Stack and File are the state's. Half says that half of it was written, and not none.
	Stack, File string
	Truncated   bool
	// Backup is the last intact state, of the time Written; "" where there is none that would help.
	Backup     string
	BackupTime time.Time
	// PendingAdded is how many resources were noted.
	PendingAdded int
	// RestoreErr is why the copy could not be put in the state's place; nil where it was.
	RestoreErr error
}

func (c *StateWriteFailure) String() string {
	text := fmt.Sprintf("the state of stack %s could not be written", c.Stack)
	if c.Truncated {
		text = fmt.Sprintf("half of the state of stack %s was written", c.Stack)
	}
	switch {
	case c.Backup == "":
		return fmt.Sprintf("%s (%s), and no intact one is beside it", text, c.File)
	case c.RestoreErr != nil:
		return fmt.Sprintf("%s (%s), and the one of %s could not be put back: %v", text, c.File, c.formatBackupTime(), c.RestoreErr)
	}
	return fmt.Sprintf("%s; the one of %s is in its place again, %s", text, c.formatBackupTime(), c.pendingText())
}

func (c *StateWriteFailure) pendingText() string {
	switch c.PendingAdded {
	case 0:
		return "and this run had changed nothing"
	case 1:
		return "1 resource that this run was about is noted in it as of unknown outcome"
	}
	return fmt.Sprintf("%d resources that this run was about are noted in it as of unknown outcome", c.PendingAdded)
}

func (c *StateWriteFailure) formatBackupTime() string {
	return c.BackupTime.UTC().Format("2006-01-02 15:04:05 UTC")
}

// hint says how to go on.
func (c *StateWriteFailure) hint() string {
	importCommand := fmt.Sprintf("`deployer import --env %s --take`", c.Stack)
	switch {
	case c.Backup == "":
		return fmt.Sprintf("free some space on the state's disk and remove the file: rm %q; then %s takes what the account has into a new state", c.File, importCommand)
	case c.RestoreErr != nil:
		return fmt.Sprintf("free some space on the state's disk, and put the last intact state back: cp %q %q; then %s takes into it what it lacks",
			c.Backup, c.File, importCommand)
	}
	if c.PendingAdded == 0 {
		return "free some space on the state's disk, and run the same command again"
	}
	return "free some space on the state's disk: the same command then looks at the account for what was noted, and goes on from there"
}

// writeErrorText are the engine's words for a state that it could not write.
const writeErrorText = "writing the new snapshot file"

// recoverFailedWrite looks whether the end of a run has left the state cut or behind, and puts that right. The run was about the
// resources in touched, and made the components in frame; said is what the engine wrote. It is nil where all is well.
func (h *Handle) recoverFailedWrite(touched []Pending, parents []PlannedResource, stderr string) *StateWriteFailure {
	location := h.stack.stateError("")
	if location.File == "" {
		return nil
	}
	content, err := os.ReadFile(location.File)
	if err != nil {
		return nil // a state that is gone is another matter
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
		failure.Backup = "" // in a state of nothing, nothing can be noted
		return failure
	}
	failure.BackupTime = written
	h.removeFiles([]string{"stacks"}, func(path string) bool { // what is of no use only takes space
		_, _, complete := readBackupFile(path)
		return strings.HasSuffix(path, ".tmp") || path == location.File+".bak" && !complete
	})
	failure.PendingAdded, failure.RestoreErr = restoreBackup(failure.Backup, failure.File, touched, parents)
	return failure
}

// restoreBackup writes a copy of a state in the state's place, as a whole or not at all, with everything noted that a run was
// about since; and says how many resources that were.
func restoreBackup(from, to string, touched []Pending, parents []PlannedResource) (added int, err error) {
	content, err := os.ReadFile(from)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(from) // others may work with it too
	if err != nil {
		return 0, err
	}
	if content, added, err = withPending(content, touched, parents); err != nil {
		return 0, fmt.Errorf("note what this run was about: %w", err)
	}
	return added, writeFile(to, content, renameio.WithStaticPermissions(info.Mode()))
}

// withPending adds to a state, as it lies in a backend, operations of unknown outcome.
func withPending(content []byte, touched []Pending, parents []PlannedResource) (edited []byte, added int, err error) {
	var outer, checkpoint map[string]json.RawMessage
	if err := json.Unmarshal(content, &outer); err != nil {
		return nil, 0, err
	}
	if err := json.Unmarshal(outer["checkpoint"], &checkpoint); err != nil {
		return nil, 0, err
	}
	doc, err := decodeDeployment(checkpoint["latest"])
	if err != nil {
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

// addPending adds operations of unknown outcome, and returns how many resources they are about.
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

// touchedResources are the resources of the account that a run changed, or was to change.
func (p *progress) touchedResources() []Pending {
	all := make([]Pending, 0, len(p.touched))
	for _, pending := range p.touched {
		all = append(all, pending)
	}
	slices.SortFunc(all, func(a, b Pending) int { return strings.Compare(a.URN+a.Op, b.URN+b.Op) })
	return all
}
