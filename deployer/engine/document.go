package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// inside looks into a property that is a JSON document on both sides, as policies and container definitions are, and
// returns what differs in it. Any other difference is returned as it is.
func inside(d Difference) []Difference {
	old, oldOK := document(d.Old)
	now, nowOK := document(d.New)
	if !oldOK || !nowOK {
		return []Difference{d}
	}
	found := compare(d.Path, old, now)
	if len(found) == 0 {
		// The texts differ, what they say does not: the order of keys, or white space.
		return []Difference{d}
	}
	for i := range found {
		found[i].Replaces = d.Replaces
	}
	return found
}

// document decodes a text that is a JSON object or list.
func document(value any) (any, bool) {
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

// compare lists the leaves in which two documents differ, by path.
func compare(path string, old, now any) []Difference {
	if reflect.DeepEqual(old, now) {
		return nil
	}
	var all []Difference
	switch before := old.(type) {
	case map[string]any:
		if after, ok := now.(map[string]any); ok {
			for _, key := range slices.Sorted(maps.Keys(joined(before, after))) {
				all = append(all, compare(path+"."+key, before[key], after[key])...)
			}
			return all
		}
	case []any:
		if after, ok := now.([]any); ok {
			for i := range max(len(before), len(after)) {
				all = append(all, compare(fmt.Sprintf("%s[%d]", path, i), at(before, i), at(after, i))...)
			}
			return all
		}
	}
	kind := "update"
	switch {
	case old == nil:
		kind = "add"
	case now == nil:
		kind = "delete"
	}
	return []Difference{{Path: path, Kind: kind, Old: old, New: now}}
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}
