// Package risk ranks the changes of a plan by what is lost if they are a mistake. It decides from types and properties alone, and
// reads nothing.
package risk

import (
	"cmp"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/engine"
)

// Level orders risks, the greatest last.
type Level int

const (
	// Routine changes neither lose, open, nor weaken anything: creates, updates, and new revisions of task definitions.
	Routine Level = iota
	// Removed resources are deleted or replaced. Their data and the access to the environment do not depend on them.
	Removed
	// Weakened protection has fewer backups, fewer alarms, or a lower limit than before.
	Weakened
	// Widened permissions allow something, or someone, more than before.
	Widened
	// Irreversible changes delete nothing, and only a backup restores what was before them.
	Irreversible
	// Lost data is deleted or public; lost access means that the application or the account cannot be reached.
	Lost
)

// Title names a level above the changes that have it.
func (l Level) Title() string {
	return map[Level]string{
		Lost: "Data or access is lost", Irreversible: "Cannot be undone", Widened: "Permissions are widened",
		Weakened: "Protection is weakened", Removed: "Replaced or deleted",
	}[l]
}

// A Risk is why a change should be reviewed.
type Risk struct {
	// Level is that of the greatest reason.
	Level Level
	// Reasons have the greatest first; none for Routine.
	Reasons []string
}

// String returns the reasons on one line.
func (r Risk) String() string { return strings.Join(r.Reasons, "; ") }

// A reason is one reason and its level.
type reason struct {
	level Level
	text  string
}

// Of returns the risk of a step. What becomes stricter, larger or longer is Routine, and so is a component of the program, which is
// nothing in the account.
func Of(s engine.Step) Risk {
	if !strings.HasPrefix(s.Type, "aws:") {
		return Risk{}
	}
	var all []reason
	for _, judge := range []func(engine.Step) []reason{losses, exposures, diversions, irreversible, permissions, protections} {
		all = append(all, judge(s)...)
	}
	if !slices.ContainsFunc(all, func(r reason) bool { return r.level == Lost }) && (s.Replaces || len(all) == 0) {
		all = append(all, removal(s)...)
	}
	slices.SortStableFunc(all, func(a, b reason) int { return cmp.Compare(b.level, a.level) })
	var r Risk
	for _, one := range all {
		r.Level = max(r.Level, one.level)
		r.Reasons = append(r.Reasons, one.text)
	}
	return r
}

// removal returns the reason of what is deleted or replaced, whatever it is. A new revision of a task definition leaves the old ones
// usable, and a plan has no step for a revision that only the state forgets.
func removal(s engine.Step) []reason {
	switch {
	case s.Deletes && !s.Replaces:
		return []reason{{Removed, "deletes it"}}
	case s.Replaces && !Revises(s):
		return []reason{{Removed, "replaces it, and deletes the old one"}}
	}
	return nil
}

// Revises reports whether a step's replacement is a new revision beside the old one, which stays usable.
func Revises(s engine.Step) bool { return s.Replaces && s.Type == taskDefinition }
