package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// verify checks for everything that a completed deployment must not leave.
func (h *harness) verify(ctx context.Context, dir string, r *result) error {
	if err := checkReleased(dir); err != nil {
		return err
	}
	if left := entriesIn(dir, isLeftover); len(left) > 0 {
		return fmt.Errorf("files are left: %s", strings.Join(left, ", "))
	}
	if left, err := waitForProcesses(ctx, dir); err != nil || len(left) > 0 {
		return fmt.Errorf("processes are left: %v %w", left, err)
	}
	err := h.mustSucceed(ctx, h.dev(dir),
		[]string{"preview", "--expect-no-changes"}, []string{"drift"}, []string{"status", "--format", "summary"})
	if err != nil {
		return err
	}
	r.spare, err = compare(dir, r.scenario.retained)
	return err
}

// checkReleased returns an error if operations are pending, or if the engine or an environment is locked.
func checkReleased(dir string) error {
	if pending := pendingOperations(dir); len(pending) > 0 {
		return fmt.Errorf("pending operations are left: %s", strings.Join(pending, ", "))
	}
	if locks := entriesIn(dir, isLock); len(locks) > 0 {
		return fmt.Errorf("locks are left: %s", strings.Join(locks, ", "))
	}
	return nil
}

// waitForProcesses waits until no process uses the directory.
func waitForProcesses(ctx context.Context, dir string) (map[int]string, error) {
	for deadline := time.Now().Add(exitTimeout); ; {
		left := processesIn(dir)
		if len(left) == 0 || time.Now().After(deadline) {
			return left, nil
		}
		select {
		case <-ctx.Done():
			return left, context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}

// checkpoint is the part of a stack's state that is checked.
type checkpoint struct {
	Checkpoint struct {
		Latest struct {
			Resources []struct {
				URN, Type, ID, Parent, Provider, DeletedWith string

				Custom, External     bool
				Dependencies         []string
				PropertyDependencies map[string][]string
			}
			PendingOperations []struct {
				Type     string
				Resource struct{ URN string }
			} `json:"pending_operations"`
		}
	}
}

// readAccount decodes a part of the account's file.
func readAccount(dir string, part any) error {
	content, err := os.ReadFile(filepath.Join(dir, "local", "account.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, part); err != nil {
		return fmt.Errorf("account.json: %w", err)
	}
	return nil
}

func states(dir string) ([]checkpoint, error) {
	files, err := filepath.Glob(filepath.Join(dir, "local", "state", ".pulumi", "stacks", "*", "*.json"))
	if err != nil {
		return nil, err
	}
	var all []checkpoint
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var c checkpoint
		if err := json.Unmarshal(content, &c); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, c)
	}
	return all, nil
}

// pendingOperations returns the pending operations of all stacks. It also lists a state that cannot be read.
func pendingOperations(dir string) []string {
	all, err := states(dir)
	if err != nil {
		return []string{err.Error()}
	}
	var pending []string
	for _, c := range all {
		for _, op := range c.Checkpoint.Latest.PendingOperations {
			pending = append(pending, op.Type+" "+op.Resource.URN)
		}
	}
	return pending
}

// entriesIn returns the paths of the files and directories below a directory that match.
func entriesIn(dir string, matches func(path string, d fs.DirEntry) bool) []string {
	var found []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != dir && matches(path, d) {
			found = append(found, strings.TrimPrefix(path, dir))
		}
		return nil
	})
	return found
}

func isLock(path string, d fs.DirEntry) bool {
	return !d.IsDir() && strings.Contains(path, string(filepath.Separator)+"locks"+string(filepath.Separator))
}

// isLeftover reports whether a temporary file or directory was not removed.
func isLeftover(_ string, d fs.DirEntry) bool {
	name := d.Name()
	hasPrefix := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	return hasPrefix("account.json.") && name != "account.json.lock" ||
		strings.HasSuffix(name, ".new") || strings.HasSuffix(name, ".tmp") ||
		slices.ContainsFunc([]string{"trial-", "preview-", "fileblob"}, hasPrefix)
}

// typeTaskDefinition may have spare revisions: nothing runs them, and old ones are kept anyway.
const typeTaskDefinition = "aws:ecs/taskDefinition:TaskDefinition"

// compare compares the account with the states: each of its resources must be in exactly one state, and vice versa. It
// returns how many task definitions are in no state. Of each of the retained types, one resource may be in no state.
func compare(dir string, retained []string) (spare int, err error) {
	var content struct {
		Resources map[string]struct {
			Type, ID string
			Kept     bool
		}
	}
	if err := readAccount(dir, &content); err != nil {
		return 0, err
	}
	known := map[string]int{}
	all, err := states(dir)
	if err != nil {
		return 0, err
	}
	for _, c := range all {
		for _, r := range c.Checkpoint.Latest.Resources {
			if r.Custom && !r.External && strings.HasPrefix(r.Type, "aws:") {
				known[r.Type+"::"+r.ID]++
			}
		}
	}
	var wrong []string
	retained = slices.Clone(retained)
	for key, r := range content.Resources {
		switch n := known[key]; {
		case r.Kept:
		case n == 0 && r.Type == typeTaskDefinition:
			spare++
		case n == 0 && slices.Contains(retained, r.Type):
			retained = slices.Delete(retained, slices.Index(retained, r.Type), slices.Index(retained, r.Type)+1)
		case n == 0:
			wrong = append(wrong, key+" is in the account and in no state")
		case n > 1:
			wrong = append(wrong, fmt.Sprintf("%s is in the states %d times", key, n))
		}
		delete(known, key)
	}
	for key := range known {
		wrong = append(wrong, key+" is in a state and not in the account")
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return spare, fmt.Errorf("the state and the account differ:\n  %s", strings.Join(wrong, "\n  "))
	}
	return spare, nil
}
