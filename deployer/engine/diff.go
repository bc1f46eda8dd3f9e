package engine

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/apitype"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
)

// newStep converts one of the engine's steps.
func newStep(m apitype.StepEventMetadata) Step {
	typ, name := typeAndName(m.URN)
	s := Step{
		Op: string(m.Op), URN: m.URN, Type: typ, Name: name,
		Replaces: m.Op == apitype.OpReplace,
		Deletes:  m.Op == apitype.OpDelete || m.Op == apitype.OpDeleteReplaced,
	}
	for _, state := range []*apitype.StepEventStateMetadata{m.Old, m.New} {
		s.Protected = s.Protected || state != nil && state.Protect
	}
	if m.Old != nil {
		s.ID = m.Old.ID
	}
	if m.Old != nil && m.New != nil {
		s.Differences = differences(m)
	}
	return s
}

// differences returns what changes: from the provider's detailed diff if there is one, else from the names of the
// properties, else from the state before and after.
func differences(m apitype.StepEventMetadata) []Difference {
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
		all = append(all, diffJSON(difference(m, path, kinds[path]))...)
	}
	return all
}

// difference returns one property before and after. It is secret if it is so on either side: a secret that the provider
// reads back is not marked as one.
func difference(m apitype.StepEventMetadata, path string, diff apitype.PropertyDiff) Difference {
	kind, replaces := strings.CutSuffix(string(diff.Kind), "-replace")
	d := Difference{Path: path, Kind: kind, Replaces: replaces || slices.Contains(m.Keys, path)}
	before := []map[string]any{m.Old.Outputs, m.Old.Inputs}
	if diff.InputDiff {
		slices.Reverse(before)
	}
	old, oldSecret := propertyValue(path, before...)
	now, nowSecret := propertyValue(path, m.New.Inputs, m.New.Outputs)
	if oldSecret || nowSecret {
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

// propertyValue returns the property at a path in the first candidate that has it, and reports whether it is, contains or is
// part of a secret.
func propertyValue(path string, candidates ...map[string]any) (any, bool) {
	keys, err := resource.ParsePropertyPath(path)
	if err != nil {
		return nil, false
	}
	for _, properties := range candidates {
		found, secret := lookup(properties, keys)
		if found != nil || secret {
			return found, secret
		}
	}
	return nil, false
}

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
