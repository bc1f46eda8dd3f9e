package command

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/balancer/v3-backend-infra/clock"
	"github.com/balancer/v3-backend-infra/deployer/lock"
)

// changeOutside changes the simulated account outside the deployer, as a user of the console does:
//
//	change-outside set TYPE ID-OR-NAME PROPERTY JSON
//	change-outside replace TYPE ID PROPERTY OLD NEW
//	change-outside delete TYPE ID
//
// TYPE is a type such as sqs/queue, ID the end of the provider's ID, OLD and NEW parts of a text.
func changeOutside(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: change-outside set|replace|delete TYPE ID …")
	}
	file := filepath.Join(ts.Getenv("STATE"), "local", "account.json")
	account := map[string]any{}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &account))
	resources := account["resources"].(map[string]any)
	var found []string
	for key, resource := range resources {
		inputs := resource.(map[string]any)["inputs"].(map[string]any)
		if strings.Contains(key, "aws:"+args[1]+":") &&
			(strings.HasSuffix(key, args[2]) || inputs["name"] == args[2] || inputs["identifier"] == args[2]) {
			found = append(found, key)
		}
	}
	if len(found) != 1 {
		ts.Fatalf("%s %s is not one resource of the account but %q", args[1], args[2], found)
	}
	if args[0] == "delete" {
		delete(resources, found[0])
	} else {
		resource := resources[found[0]].(map[string]any)
		for _, bag := range []string{"inputs", "outputs"} {
			properties := resource[bag].(map[string]any)
			properties[args[3]] = changedProperty(ts, properties[args[3]], args)
		}
	}
	content, err := json.Marshal(account)
	ts.Check(err)
	// As a new file, by which a process that has the old one open detects the change.
	ts.Check(os.WriteFile(file+".new", content, 0o600))
	ts.Check(os.Rename(file+".new", file))
}

// changedProperty returns the property after the change.
func changedProperty(ts *testscript.TestScript, before any, args []string) any {
	if args[0] == "replace" {
		text, _ := before.(string)
		if !strings.Contains(text, args[4]) {
			ts.Fatalf("%s is %v, without %q", args[3], before, args[4])
		}
		return strings.ReplaceAll(text, args[4], args[5])
	}
	var after any
	ts.Check(json.Unmarshal([]byte(args[4]), &after))
	return after
}

// holdLock holds a stack's lock until the script ends, as a deployment does: hold-lock STACK ENVIRONMENT.
func holdLock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hold-lock STACK ENVIRONMENT")
	}
	store := lock.Directory{Dir: filepath.Join(ts.Getenv("STATE"), "local", "locks"), Clock: clock.Real()}
	lease, _, err := store.TryAcquire(context.Background(), lock.Holder{
		ID: "test", Stack: args[0], Environment: args[1], Command: "up", By: "jane@laptop", Host: "laptop", PID: os.Getpid(), Phase: "rollout",
	})
	ts.Check(err)
	ts.Defer(func() { _ = lease.Release(context.Background()) })
}
