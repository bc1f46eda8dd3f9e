package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// diffJSON compares a property that is a JSON document on both sides, such as a policy or container definitions, and returns
// what differs in it. It returns any other difference unchanged.
func diffJSON(d Difference) []Difference {
	before, oldOK := decodeJSON(d.Old)
	after, nowOK := decodeJSON(d.New)
	if !oldOK || !nowOK {
		return []Difference{d}
	}
	diffs := compareJSON(d.Path, before, after)
	if len(diffs) == 0 {
		// Only the order of keys or white space differs.
		return []Difference{d}
	}
	for i := range diffs {
		diffs[i].Replaces = d.Replaces
	}
	return diffs
}

// decodeJSON decodes a text that is a JSON object or array.
func decodeJSON(value any) (any, bool) {
	text, ok := value.(string)
	if !ok || !strings.HasPrefix(text, "{") && !strings.HasPrefix(text, "[") {
		return nil, false
	}
	var decoded any
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		return nil, false
	}
	return decoded, true
}

// compareJSON returns the leaves in which two documents differ, by path.
func compareJSON(path string, old, updated any) []Difference {
	if reflect.DeepEqual(old, updated) {
		return nil
	}
	var all []Difference
	switch before := old.(type) {
	case map[string]any:
		if after, ok := updated.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(unionKeys(before, after))) {
				all = append(all, compareJSON(path+"."+key, before[key], after[key])...)
			}
			return all
		}
	case []any:
		if after, ok := updated.([]any); ok {
			for i := range max(len(before), len(after)) {
				all = append(all, compareJSON(fmt.Sprintf("%s[%d]", path, i), elementAt(before, i), elementAt(after, i))...)
			}
			return all
		}
	}
	kind := "update"
	switch {
	case old == nil:
		kind = "add"
	case updated == nil:
		kind = "delete"
	}
	return []Difference{{Path: path, Kind: kind, Old: old, New: updated}}
}

func elementAt(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}
