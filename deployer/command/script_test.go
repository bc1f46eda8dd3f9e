package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// withoutEngine are the scripts that never run the engine.
var withoutEngine = []string{"testdata/script/secrets.txtar"}

// TestScripts runs the deployer as a user would, against the simulated account with the real engine, and reads what a
// user would read. A script that begins with "# deployed" starts with staging deployed.
func TestScripts(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	require.NoError(t, err)
	root := projectRoot(t)
	if testing.Short() {
		scripts = withoutEngine
	} else {
		root = engineRoot(t)
	}
	output := t.TempDir()
	t.Cleanup(func() { checkPrinted(t, output) })
	testscript.Run(t, testscript.Params{
		Files: scripts,
		Setup: func(env *testscript.Env) error {
			state := filepath.Join(env.WorkDir, "state")
			for key, value := range map[string]string{
				"DEPLOYER_DIR": root, "DEPLOYER_STATE_DIR": state, "ROOT": root, "STATE": state, "HOME": env.WorkDir, "USER": "tester",
				"AWS_EC2_METADATA_DISABLED": "true", "HOSTILE_COMMAND": "echo '" + hostileLine + "'", "GOGC": os.Getenv("GOGC"), outputVariable: output,
			} {
				env.Setenv(key, value)
			}
			return nil
		},
		Cmds: merged(merged(statusCommands(), processCommands()), map[string]func(*testscript.TestScript, bool, []string){
			"deployed": func(ts *testscript.TestScript, _ bool, _ []string) {
				_, err := deployedStaging(root, ts.Getenv("STATE"))
				ts.Check(err)
			},
			"change-outside": changeOutside,
			"retag-foreign":  retagForeign,
			"no-duplicates":  noDuplicates,
			"exits":          exits,
			"interrupt-at":   interruptAt,
			"reorder-state":  reorderState,
			"jsonpath":       jsonPath,
			"kill-at":        killAt,
			"no-secrets":     noSecrets,
			"owned":          owned,
			"tasks-replaced": tasksReplaced,
			"same-number":    sameNumber,
			"hold-lock":      holdLock,
			"diagnoses":      diagnoses,
			"calls":          calls,

			"resized-terminal": resizedTerminal,
		}),
	})
}

// exits runs a command and requires its exit code: exits 3 deployer up --env nowhere.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit := (*exec.ExitError)(nil); err != nil {
		if !asExit(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

func asExit(err error, exit **exec.ExitError) bool {
	e, ok := err.(*exec.ExitError)
	*exit = e
	return ok
}

// jsonPath reads the last standard output as JSON and compares a value: jsonpath summary.status healthy.
func jsonPath(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: jsonpath PATH VALUE")
	}
	var value any
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &value); err != nil {
		ts.Fatalf("standard output is not JSON: %v", err)
	}
	for _, key := range strings.Split(args[0], ".") {
		object, ok := value.(map[string]any)
		if !ok {
			ts.Fatalf("%s: %q is not in an object", args[0], key)
		}
		value = object[key]
	}
	if equal := fmt.Sprint(value) == args[1]; equal == neg {
		ts.Fatalf("%s is %v, want %s (negated: %v)", args[0], value, args[1], neg)
	}
}

// reorderState moves a resource of a state file behind those that depend on it: reorder-state FILE.
func reorderState(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: reorder-state FILE")
	}
	var file map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &file))
	latest := file["checkpoint"].(map[string]any)["latest"].(map[string]any)
	resources := latest["resources"].([]any)
	at := slices.IndexFunc(resources, func(r any) bool { return r.(map[string]any)["type"] == "aws:ecs/cluster:Cluster" })
	latest["resources"] = append(slices.Delete(slices.Clone(resources), at, at+1), resources[at])
	content, err := json.Marshal(file)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), content, 0o600))
}

// taskName matches a task in the JSON of status.
var taskName = regexp.MustCompile(`"task": "([0-9a-f]{32})"`)

// tasksReplaced requires two reports of status to have equally many tasks, and none in common: tasks-replaced BEFORE AFTER.
func tasksReplaced(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tasks-replaced BEFORE AFTER")
	}
	before, after := taskName.FindAllString(ts.ReadFile(args[0]), -1), taskName.FindAllString(ts.ReadFile(args[1]), -1)
	if len(before) == 0 || len(before) != len(after) {
		ts.Fatalf("%d tasks before and %d after", len(before), len(after))
	}
	for _, task := range after {
		if slices.Contains(before, task) {
			ts.Fatalf("%s is still there", task)
		}
	}
}

// sameNumber requires what two patterns capture in two files to be the same: same-number FILE PATTERN FILE PATTERN.
func sameNumber(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: same-number FILE PATTERN FILE PATTERN")
	}
	var numbers []string
	for i := 0; i < len(args); i += 2 {
		found := regexp.MustCompile(args[i+1]).FindStringSubmatch(ts.ReadFile(args[i]))
		if len(found) != 2 {
			ts.Fatalf("%s has no %s", args[i], args[i+1])
		}
		numbers = append(numbers, found[1])
	}
	if numbers[0] != numbers[1] {
		ts.Fatalf("%s of %s is not %s of %s", numbers[0], args[0], numbers[1], args[2])
	}
}

// noSecrets fails where files or directories contain a secret value of the simulated account: no-secrets PATH….
func noSecrets(ts *testscript.TestScript, _ bool, args []string) {
	values := secretValues(ts)
	for _, root := range args {
		ts.Check(filepath.WalkDir(ts.MkAbs(root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for name, value := range values {
				if strings.Contains(string(content), value) {
					return fmt.Errorf("%s holds the value of %s", path, name)
				}
			}
			return nil
		}))
	}
}

// secretValues reads every secret of the simulated account, the database's password too.
func secretValues(ts *testscript.TestScript) map[string]string {
	values, err := readSecrets(context.Background(), ts.Getenv("ROOT"), ts.Getenv("STATE"))
	ts.Check(err)
	if len(values) < 4 {
		ts.Fatalf("only %d secret values are known, the search would prove nothing", len(values))
	}
	return values
}
