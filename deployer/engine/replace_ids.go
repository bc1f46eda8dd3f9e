package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// ReplaceIDs makes the state know resources, by URN, under other IDs: for what was replaced in the account on purpose, and
// must not be replaced once more by the program. Wherever a resource's own properties named the old ID they name the new
// one; what else is different comes with the next Refresh. A resource that has its ID already is left alone.
//
// It returns whether anything had to be changed. The state is written in one step, or not at all.
func (h *Handle) ReplaceIDs(ctx context.Context, ids map[string]string) (bool, error) {
	doc, err := h.exportState(ctx)
	if err != nil {
		return false, err
	}
	changed, err := doc.replaceIDs(ids)
	if err != nil || !changed {
		return false, err
	}
	return true, h.importState(ctx, doc)
}

// replaceIDs replaces IDs by URN, and reports whether any was another one.
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
		r["id"], r["inputs"], r["outputs"] = id, replaceValue(r["inputs"], before, id), replaceValue(r["outputs"], before, id)
		changed = true
		return true
	})
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("the state has no resource %q", slices.Sorted(maps.Keys(missing)))
	}
	return changed, err
}

// replaceValue puts one text in another's place, wherever it is a whole value.
func replaceValue(value any, before, after string) any {
	switch v := value.(type) {
	case string:
		if v == before {
			return after
		}
	case map[string]any:
		for key, inner := range v {
			v[key] = replaceValue(inner, before, after)
		}
	case []any:
		for i, inner := range v {
			v[i] = replaceValue(inner, before, after)
		}
	}
	return value
}
