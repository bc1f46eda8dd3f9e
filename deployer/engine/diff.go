package engine

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"

	"github.com/balancer/v3-backend-infra/internal/sanitize"
)

// newStep converts one of the engine's steps. A refreshed one compares the account with what was declared; others compare the
// state with what is declared now.
func newStep(m apitype.StepEventMetadata, refreshed bool) Step {
	typ, name := typeAndName(m.URN)
	s := Step{
		Op: string(m.Op), URN: m.URN, Type: typ, Name: name,
		Replaces: m.Op == apitype.OpReplace,
		Deletes:  deletes(m.Op),
	}
	for _, state := range []*apitype.StepEventStateMetadata{m.Old, m.New} {
		s.Protected = s.Protected || state != nil && state.Protect
	}
	if m.Old != nil {
		s.ID = m.Old.ID
	}
	if !refreshed {
		s.Before, s.After = declared(m.Old, m), declared(m.New, m)
	}
	if m.Old != nil && m.New != nil {
		s.Differences = differences(m, refreshed)
	}
	sanitize.Value(&s) // drift is what others wrote
	return s
}

// deletes reports whether an operation deletes its resource, or the one that was replaced.
func deletes(op apitype.OpType) bool { return op == apitype.OpDelete || op == apitype.OpDeleteReplaced }

// declared returns the inputs of one side of a step, nil where there is none. A property that is secret, in whole or in part, in the
// inputs or outputs of either side, is Masked: a secret that the provider has read is not marked as one.
func declared(side *apitype.StepEventStateMetadata, m apitype.StepEventMetadata) map[string]any {
	if side == nil {
		return nil
	}
	inputs := maskAndReplaceUnknown(side.Inputs)
	for _, state := range []*apitype.StepEventStateMetadata{m.Old, m.New} {
		if state == nil {
			continue
		}
		for _, properties := range []map[string]any{state.Inputs, state.Outputs} {
			for key := range inputs {
				if _, secret := mask(properties[key]); secret {
					inputs[key] = Masked
				}
			}
		}
	}
	return inputs
}

// differences returns what changes: from the provider's detailed diff if there is one, else from the names of the
// properties, else from the state before and after.
func differences(m apitype.StepEventMetadata, refreshed bool) []Difference {
	kinds := map[string]apitype.PropertyDiff{}
	switch {
	case m.DetailedDiff != nil:
		kinds = m.DetailedDiff
	case len(m.Diffs) > 0:
		for _, path := range m.Diffs {
			kinds[path] = apitype.PropertyDiff{Kind: apitype.DiffUpdate, InputDiff: true}
		}
	default:
		for path := range unionKeys(m.Old.Outputs, m.New.Outputs) {
			if !reflect.DeepEqual(m.Old.Outputs[path], m.New.Outputs[path]) {
				kinds[path] = apitype.PropertyDiff{Kind: apitype.DiffUpdate}
			}
		}
	}
	all := make([]Difference, 0, len(kinds))
	for _, path := range slices.Sorted(maps.Keys(kinds)) {
		all = append(all, difference(m, path, kinds[path], refreshed))
	}
	var leaves []Difference
	for _, d := range withoutParents(withoutEqual(all)) {
		leaves = append(leaves, diffJSON(d)...)
	}
	return leaves
}

// withoutEqual removes the properties whose two values are equal, unless nothing else differs, or nothing else explains why the
// resource is replaced: a provider can report a property for a reason that its values do not show.
func withoutEqual(all []Difference) []Difference {
	if !slices.ContainsFunc(all, func(d Difference) bool { return !d.Equal() }) {
		return all
	}
	explained := slices.ContainsFunc(all, func(d Difference) bool { return !d.Equal() && d.Replaces })
	return slices.DeleteFunc(all, func(d Difference) bool { return d.Equal() && (explained || !d.Replaces) })
}

// withoutParents removes the properties of which a part is listed too, and marks these parts if the whole replaces.
func withoutParents(all []Difference) []Difference {
	paths := make([]resource.PropertyPath, len(all))
	for i, d := range all {
		paths[i], _ = resource.ParsePropertyPath(d.Path) // what is no path has no parts
	}
	parent := make([]bool, len(all))
	for i, whole := range all {
		for j := range all {
			if i != j && len(paths[i]) > 0 && len(paths[i]) < len(paths[j]) && paths[i].Contains(paths[j]) {
				parent[i] = true
				all[j].Replaces = all[j].Replaces || whole.Replaces
			}
		}
	}
	var leaves []Difference
	for i, d := range all {
		if !parent[i] {
			leaves = append(leaves, d)
		}
	}
	return leaves
}

// difference returns one property before and after. It is secret if it is so in any of the inputs and outputs: a secret that
// the provider reads back is not marked as one.
//
// In a refresh the provider compares what it read with the inputs of the last deployment, and the engine inverts its answer:
// the left side is what was declared. Otherwise it compares the state with the new inputs, unless it reports a diff of inputs.
// Source: RefreshStep.Apply in https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/step.go
func difference(m apitype.StepEventMetadata, path string, diff apitype.PropertyDiff, refreshed bool) Difference {
	kind, replaces := strings.CutSuffix(string(diff.Kind), "-replace")
	d := Difference{Path: path, Kind: kind, Replaces: replaces || slices.Contains(m.Keys, path)}
	before, after := []map[string]any{m.Old.Outputs, m.Old.Inputs}, []map[string]any{m.New.Inputs, m.New.Outputs}
	if diff.InputDiff || refreshed {
		slices.Reverse(before)
	}
	if refreshed {
		slices.Reverse(after)
	}
	keys, _ := resource.ParsePropertyPath(path) // what is no path has no values
	old, now := firstValue(keys, before), firstValue(keys, after)
	declared := definesFirst(keys, before[0])
	if reflect.DeepEqual(old, now) && declared && definesFirst(keys, before[1]) {
		old, _ = lookup(before[1], keys) // the provider compared the other one
	}
	switch {
	case kind == string(apitype.DiffAdd), refreshed && !declared && reflect.DeepEqual(old, now):
		old = nil
	case kind == string(apitype.DiffDelete), diff.InputDiff && !refreshed && !definesFirst(keys, m.New.Inputs):
		// A null is no input: the engine reports its removal as an update, and the outputs of a preview still have the old value.
		now = nil
	}
	if slices.ContainsFunc(slices.Concat(before, after), func(properties map[string]any) bool { return isSecret(properties, keys) }) {
		old, now = maskPresent(old), maskPresent(now)
	}
	d.Old, d.New = old, now
	return d
}

// maskPresent masks a value, but keeps nil.
func maskPresent(value any) any {
	if value == nil {
		return nil
	}
	return Masked
}

// firstValue returns the property at a path in the first candidate that has the path's first key: another one may belong to
// another time.
func firstValue(keys resource.PropertyPath, candidates []map[string]any) any {
	for _, properties := range candidates {
		if definesFirst(keys, properties) {
			value, _ := lookup(properties, keys)
			return value
		}
	}
	return nil
}

// definesFirst reports whether properties have the first key of a path.
func definesFirst(keys resource.PropertyPath, properties map[string]any) bool {
	if len(keys) == 0 {
		return false
	}
	first, _ := keys[0].(string)
	_, defined := properties[first]
	return defined
}

func isSecret(properties map[string]any, keys resource.PropertyPath) bool {
	_, secret := lookup(properties, keys)
	return len(keys) > 0 && secret
}

// lookup returns the property at a path, and reports whether it is, contains or is part of a secret.
func lookup(from any, keys resource.PropertyPath) (any, bool) {
	if properties, ok := from.(map[string]any); ok && properties[resource.SigKey] == resource.SecretSig {
		return Masked, true
	}
	if len(keys) == 0 {
		masked, secret := mask(from)
		return replaceUnknown(masked), secret
	}
	switch key := keys[0].(type) {
	case string:
		if properties, ok := from.(map[string]any); ok {
			return lookup(properties[key], keys[1:])
		}
	case int:
		if list, ok := from.([]any); ok && key >= 0 && key < len(list) {
			return lookup(list[key], keys[1:])
		}
	}
	return nil, false
}

// replaceUnknown replaces the engine's mark for a value that only the change determines.
func replaceUnknown(value any) any {
	return replaceStrings(value, func(text string) string {
		if text == plugin.UnknownStringValue {
			return Unknown
		}
		return text
	})
}

func unionKeys(a, b map[string]any) map[string]any {
	keys := map[string]any{}
	maps.Copy(keys, a)
	maps.Copy(keys, b)
	return keys
}
