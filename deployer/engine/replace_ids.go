package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// ReplaceIDs makes the state know resources, by URN, under other IDs: for what was replaced in the account on purpose, and
// must not be replaced once more by the program. Wherever a resource's own properties named the old ID they name the new
// one; what else is different comes with the next Refresh. A resource that has its ID already is left alone.
//
// It returns whether anything had to be changed. The state is written in one step, or not at all.
func (h *Handle) ReplaceIDs(ctx context.Context, ids map[string]string) (bool, error) {
	exported, err := h.stateCommand(ctx, nil, "stack", "export", "--stack", h.stack.Name)
	if err != nil {
		return false, err
	}
	edited, changed, err := replaceIDs([]byte(exported), ids)
	if err != nil || !changed {
		return false, err
	}
	// An import that was begun is not to be cut short: it takes no longer than writing a file.
	if _, err := h.stateCommand(context.WithoutCancel(ctx), edited, "stack", "import", "--stack", h.stack.Name); err != nil {
		return false, err
	}
	return true, h.reload(context.WithoutCancel(ctx))
}

// stateCommand runs a command of the engine about the state alone.
func (h *Handle) stateCommand(ctx context.Context, input []byte, args ...string) (string, error) {
	operation := map[string]string{"export": "reading the state", "import": "writing the state", "repair": "repairing the state"}[args[1]]
	c := &process{engine: h.engine, listening: closedChannel()}
	var env []string
	for name, value := range h.stack.env() {
		env = append(env, name+"="+value)
	}
	out, _, _, err := c.Run(ctx, h.stack.WorkDir, bytes.NewReader(input), nil, nil, env, args...)
	if err != nil {
		failure := Failure{Run: operation}
		if args[1] == "import" && c.runningPID == 0 {
			failure.StateWrite = h.recoverFailedWrite(nil, nil, c.stderr)
		}
		return "", h.explain(ctx, err, c, failure)
	}
	return out, nil
}

// replaceIDs edits an exported state. It touches nothing that it does not know: numbers stay as they were written, and
// secrets encrypted.
func replaceIDs(exported []byte, ids map[string]string) (edited []byte, changed bool, err error) {
	decoder := json.NewDecoder(bytes.NewReader(exported))
	decoder.UseNumber()
	var document map[string]any
	if err := decoder.Decode(&document); err != nil {
		return nil, false, fmt.Errorf("read the exported state: %w", err)
	}
	deployment, _ := document["deployment"].(map[string]any)
	resources, _ := deployment["resources"].([]any)
	var missing []string
	for urn, id := range ids {
		at := slices.IndexFunc(resources, func(r any) bool {
			known, _ := r.(map[string]any)
			// What waits to be deleted after a replacement has the same URN.
			return known["urn"] == urn && known["delete"] != true
		})
		if at < 0 {
			missing = append(missing, urn)
			continue
		}
		known := resources[at].(map[string]any)
		before, _ := known["id"].(string)
		if before == id {
			continue
		}
		known["id"], changed = id, true
		for _, properties := range []string{"inputs", "outputs"} {
			known[properties] = replaceValue(known[properties], before, id)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, false, fmt.Errorf("the state has no resource %q", missing)
	}
	edited, err = json.Marshal(document)
	return edited, changed, err
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
