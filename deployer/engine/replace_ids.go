package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// ReplaceIDs replaces the IDs of resources, by URN, in the state: of those that were replaced in the account on purpose, so
// that the program does not replace them again. It replaces the old ID in the properties of the resource, too; the next
// Refresh reads all other differences.
//
// It reports whether anything was changed. It writes the state as a whole or not at all.
func (h *Handle) ReplaceIDs(ctx context.Context, ids map[string]string) (bool, error) {
	return h.editState(ctx, func(d *stateDocument) (bool, error) { return d.replaceIDs(ids) })
}

// replaceIDs reports whether any ID was another one.
func (d *stateDocument) replaceIDs(ids map[string]string) (changed bool, err error) {
	missing := maps.Clone(ids)
	err = d.edit(func(r map[string]any) bool {
		urn, _ := r["urn"].(string)
		id, wanted := ids[urn]
		if !wanted || r["delete"] == true { // a replaced resource that waits for its deletion has the same URN
			return false
		}
		delete(missing, urn)
		before, _ := r["id"].(string)
		if before == id {
			return false
		}
		r["id"], changed = id, true
		for _, properties := range []string{"inputs", "outputs"} {
			r[properties] = replaceStrings(r[properties], func(text string) string {
				if text == before {
					return id
				}
				return text
			})
		}
		return true
	})
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("the state has no resource %q", slices.Sorted(maps.Keys(missing)))
	}
	return changed, err
}
