package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// retagForeign gives the resources of an environment in the simulated account the tags of another tool, and keeps their names:
// retag-foreign staging.
func retagForeign(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: retag-foreign ENVIRONMENT")
	}
	file := filepath.Join(ts.Getenv("STATE"), "local", "account.json")
	account := map[string]any{}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &account))
	changed := 0
	for _, resource := range account["resources"].(map[string]any) {
		for _, bag := range []string{"inputs", "outputs"} {
			properties, _ := resource.(map[string]any)[bag].(map[string]any)
			for _, key := range []string{"tags", "tagsAll"} {
				tags, _ := properties[key].(map[string]any)
				if tags["Environment"] != args[0] {
					continue
				}
				changed++
				delete(tags, "Environment")
				delete(tags, "ManagedBy")
				tags["Project"] = "v3-backend-" + args[0] + "-compute"
			}
		}
	}
	if changed == 0 {
		ts.Fatalf("no resource of the account has tags")
	}
	content, err := json.Marshal(account)
	ts.Check(err)
	ts.Check(os.WriteFile(file+".new", content, 0o600))
	ts.Check(os.Rename(file+".new", file))
}

// noDuplicates requires every resource of the account to exist once, except for revisions of task definitions: no-duplicates.
func noDuplicates(ts *testscript.TestScript, _ bool, _ []string) {
	var account struct {
		Resources map[string]struct{ Inputs map[string]any }
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(filepath.Join(ts.Getenv("STATE"), "local", "account.json"))), &account))
	seen := map[string]string{}
	for key, resource := range account.Resources {
		typ, _, _ := strings.Cut(key, "::")
		if typ == "aws:ecs/taskDefinition:TaskDefinition" {
			continue
		}
		inputs, err := json.Marshal(resource.Inputs)
		ts.Check(err)
		same := typ + string(inputs)
		if other := seen[same]; other != "" {
			ts.Fatalf("%s and %s are the same", other, key)
		}
		seen[same] = key
	}
	if len(seen) < 100 {
		ts.Fatalf("only %d resources were compared", len(seen))
	}
}
