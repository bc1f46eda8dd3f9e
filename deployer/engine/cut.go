package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Cut is what became of a state that a run could not write, in a backend that is a directory.
//
// On a full disk the backend puts half a file in the state's place, and the next try copies that over the backup. What
// the run has done since the last intact copy is then known to nobody but this process: it is noted in the copy as
// operations of unknown outcome, which is what makes the next deployment look.
type Cut struct {
	// Stack and File are the state's. Half says that half of it was written, and not none.
	Stack, File string
	Half        bool
	// Copy is the last intact state, of the time Written; "" where there is none that would help.
	Copy    string
	Written time.Time
	// Noted is how many resources were noted.
	Noted int
	// Err is why the copy could not be put in the state's place; nil where it was.
	Err error
}

func (c *Cut) String() string {
	what := fmt.Sprintf("the state of stack %s could not be written", c.Stack)
	if c.Half {
		what = fmt.Sprintf("half of the state of stack %s was written", c.Stack)
	}
	switch {
	case c.Copy == "":
		return fmt.Sprintf("%s (%s), and no intact one is beside it", what, c.File)
	case c.Err != nil:
		return fmt.Sprintf("%s (%s), and the one of %s could not be put back: %v", what, c.File, c.moment(), c.Err)
	}
	return fmt.Sprintf("%s; the one of %s is in its place again, %s", what, c.moment(), c.noted())
}

func (c *Cut) noted() string {
	switch c.Noted {
	case 0:
		return "and this run had changed nothing"
	case 1:
		return "1 resource that this run was about is noted in it as of unknown outcome"
	}
	return fmt.Sprintf("%d resources that this run was about are noted in it as of unknown outcome", c.Noted)
}

func (c *Cut) moment() string { return c.Written.UTC().Format("2006-01-02 15:04:05 UTC") }

// hint says how to go on.
func (c *Cut) hint() string {
	take := fmt.Sprintf("`deployer import --env %s --take`", c.Stack)
	switch {
	case c.Copy == "":
		return fmt.Sprintf("free some space on the state's disk and remove the file: rm %q; then %s takes what the account has into a new state", c.File, take)
	case c.Err != nil:
		return fmt.Sprintf("free some space on the state's disk, and put the last intact state back: cp %q %q; then %s takes into it what it lacks",
			c.Copy, c.File, take)
	}
	if c.Noted == 0 {
		return "free some space on the state's disk, and run the same command again"
	}
	return "free some space on the state's disk: the same command then looks at the account for what was noted, and goes on from there"
}

// unwritten are the engine's words for a state that it could not write.
const unwritten = "writing the new snapshot file"

// rescue looks whether the end of a run has left the state cut or behind, and puts that right. The run was about the
// resources in touched, and made the components in frame; said is what the engine wrote. It is nil where all is well.
func (h *Handle) rescue(touched []Pending, frame []Creation, said string) *Cut {
	place := h.stack.damage("")
	if place.File == "" {
		return nil
	}
	content, err := os.ReadFile(place.File)
	if err != nil {
		return nil // a state that is gone is another matter
	}
	half := !json.Valid(content)
	if !half && (len(touched) == 0 || !strings.Contains(said, unwritten)) {
		return nil
	}
	cut := &Cut{Stack: h.stack.Name, File: place.File, Half: half, Copy: place.File}
	if half {
		cut.Copy = place.Backup
	}
	written, resources, whole := intact(cut.Copy)
	if !whole || resources == 0 && len(touched) > 0 {
		cut.Copy = "" // in a state of nothing, nothing can be noted
		return cut
	}
	cut.Written = written
	h.remove([]string{"stacks"}, func(path string) bool { // what is of no use only takes space
		_, _, whole := intact(path)
		return strings.HasSuffix(path, ".tmp") || path == place.File+".bak" && !whole
	})
	cut.Noted, cut.Err = putBack(cut.Copy, cut.File, touched, frame)
	return cut
}

// putBack writes a copy of a state in the state's place, as a whole or not at all, with everything noted that a run was
// about since; and says how many resources that were.
func putBack(from, to string, touched []Pending, frame []Creation) (noted int, err error) {
	content, err := os.ReadFile(from)
	if err != nil {
		return 0, err
	}
	like, err := os.Stat(from) // others may work with it too
	if err != nil {
		return 0, err
	}
	if content, noted, err = note(content, touched, frame); err != nil {
		return 0, fmt.Errorf("note what this run was about: %w", err)
	}
	return noted, replace(filepath.Dir(to), filepath.Base(to), func(path string) error {
		return errors.Join(os.WriteFile(path, content, like.Mode()), os.Chmod(path, like.Mode()))
	})
}

// note adds to a state, as it lies in a backend, operations of unknown outcome.
func note(content []byte, touched []Pending, frame []Creation) (edited []byte, noted int, err error) {
	var outer, checkpoint map[string]json.RawMessage
	if err := json.Unmarshal(content, &outer); err != nil {
		return nil, 0, err
	}
	if err := json.Unmarshal(outer["checkpoint"], &checkpoint); err != nil {
		return nil, 0, err
	}
	doc, err := readDocument(checkpoint["latest"])
	if err != nil {
		return nil, 0, err
	}
	if _, err := doc.frame(frame, nil); err != nil {
		return nil, 0, err
	}
	if noted, err = doc.note(touched); err != nil {
		return nil, 0, err
	}
	if checkpoint["latest"], err = doc.inner(); err != nil {
		return nil, 0, err
	}
	if outer["checkpoint"], err = json.Marshal(checkpoint); err != nil {
		return nil, 0, err
	}
	edited, err = json.Marshal(outer)
	return edited, noted, err
}

// note adds operations of unknown outcome, and returns how many resources they are about.
func (d *stateDocument) note(touched []Pending) (int, error) {
	urns := map[string]bool{}
	for _, p := range touched {
		if urns[p.URN] || !own(p.Type) {
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

// about are the resources of the account that a run changed, or was to change.
func (p *progress) about() []Pending {
	all := make([]Pending, 0, len(p.touched))
	for _, one := range p.touched {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b Pending) int { return strings.Compare(a.URN+a.Op, b.URN+b.Op) })
	return all
}
