package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/deployer/release"
)

// A lastLine is a command in staging of the simulated account, and how its output ends.
type lastLine struct {
	// command is the command's name, args its arguments.
	command, args string
	input         string
	code          int
	// out and err match the last line of standard output and of standard error; "" is no output at all.
	out, err string
	// runs is the tag of the only image that runs in staging afterwards, according to the account; "" where it is not read.
	runs string
}

// fullSecret has a value for each required key.
const fullSecret = "NODE_ENV=staging\nSUBGRAPH_API_URL=https://subgraph.example.org\nSENTRY_DSN=https://key@sentry.example.org/1\n"

// anything matches a result that is a document.
const anything = `.`

// lastLines has a row for each command, and for each way in which it ends. The rows run in this order, in one account.
var lastLines = []lastLine{
	{command: "up", args: "--image-tag 1.41.8-abc123def --dry-run", out: `^1.41.8-abc123def can be deployed to staging; dry run: nothing was changed$`, err: anything},
	{command: "up", args: "--image-tag nope", code: codeNotRun, err: anything},
	{command: "up", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "up", args: "--code-only --image-tag 1.41.8-abc123def --quiet --skip migrate,rollout,health,validate", runs: "1.41.7-9f8e7d6c5",
		out: `^1.41.8-abc123def was not rolled out: staging runs 1.41.7-9f8e7d6c5 \(sha256:[0-9a-f]+\), after \S+ \(simulated account\); skipped: migrate, rollout, health, validate$`},
	{command: "up", args: "--code-only --image-tag 1.41.8-abc123def --quiet --fault certificate-expired", code: codeFailed, err: `^hint: ACM renews`, runs: "1.41.8-abc123def"},
	{command: "up", args: "--code-only --image-tag 1.41.8-abc123def --quiet", out: `^1.41.8-abc123def runs in staging at https://\S+, after \S+ \(simulated account\)$`, runs: "1.41.8-abc123def"},
	{command: "up", args: "--code-only --image-tag 1.41.7-9f8e7d6c5 --quiet --fault migration-fails", code: codeFailed, err: `^hint: the schema may be partly changed`, runs: "1.41.8-abc123def"},
	{command: "up", args: "--code-only --restart --quiet --skip health,validate --format json", out: `^}$`},
	{command: "restart", args: "--dry-run --service api", out: `^the service api of staging, which runs 1.41.8-abc123def, can be restarted; dry run: nothing was changed$`, err: anything},
	{command: "restart", args: "--quiet --service worker", out: `^every task of the service worker in staging was restarted with 1.41.8-abc123def, after \S+ \(simulated account\)$`, runs: "1.41.8-abc123def"},
	{command: "restart", args: "--service migration", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "rollback", args: "--dry-run", out: `^staging can be rolled back to 1.41.7-9f8e7d6c5 \(.*; dry run: nothing was changed$`, err: `^the database \S+ does not change`},
	{command: "rollback", args: "--quiet", out: `^1.41.7-9f8e7d6c5 runs in staging again at https://\S+, after \S+ \(simulated account\)$`, err: `^the database \S+ does not change`, runs: "1.41.7-9f8e7d6c5"},
	{command: "rollback", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "images", args: "--quiet", out: anything},
	{command: "preview", args: "--quiet", out: `^no changes$`},
	{command: "drift", args: "--quiet", out: `^staging: no drift, no pending changes$`},
	{command: "migrate", args: "--dry-run --quiet", out: "^`npx prisma migrate deploy` can be run in staging with 1.41.7-9f8e7d6c5; dry run: nothing was changed$"},
	{command: "migrate", args: "--quiet", out: "^`npx prisma migrate deploy` of 1.41.7-9f8e7d6c5 succeeded in staging with exit code 0, after \\S+ \\(simulated account\\)$"},
	{command: "migrate", args: "--quiet --fault migration-fails", code: codeFailed, err: `^hint: the schema may be partly changed`},
	{command: "migrate", args: "--quiet --stop", out: `^no migration is running in staging$`},
	{command: "migrate", args: "--image-tag a/b", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "sleep", args: "--dry-run", out: `^staging can be put to sleep; dry run: nothing was changed$`},
	{command: "sleep", args: "--env production", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "sleep", args: "--quiet", out: "^staging is asleep, after \\S+ \\(simulated account\\); `deployer wake --env staging --local` wakes it$"},
	{command: "sleep", args: "--quiet", out: `^staging is asleep already, since \S+ \S+ UTC, by \S+$`},
	{command: "wake", args: "--dry-run", out: `^staging can be woken; dry run: nothing was changed$`},
	{command: "wake", args: "--env production", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "wake", args: "--quiet", out: `^staging is awake and answers at https://\S+, after \S+ \(simulated account\)$`, runs: "1.41.7-9f8e7d6c5"},
	{command: "wake", args: "--quiet", out: `^staging is awake already$`},
	{command: "snapshot create", args: "--quiet", out: `^v3-backend-staging-pre-deploy-\S+ is available$`},
	{command: "snapshot create", args: "--quiet --no-wait", out: `^v3-backend-staging-pre-deploy-\S+ is creating$`},
	{command: "snapshot create", args: "--quiet --fault database-unavailable", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "snapshot list", args: "--quiet", out: anything},
	{command: "snapshot restore", args: "--dry-run", out: `^dry run: nothing was changed$`},
	{command: "snapshot restore", args: "nope", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "snapshot restore", args: "--quiet --yes", out: anything, err: anything}, // what it leaves to do, by paragraphs
	{command: "status", args: "--summary --quiet", out: anything},
	{command: "tasks", args: "--quiet", out: anything},
	{command: "tasks", args: "--service migration --format json", out: `^}$`},
	{command: "tasks", args: "--env production", code: codeNotRun, err: "^hint: deploy it with `deployer up --env production --local --image-tag TAG`$"},
	{command: "health", args: "--quiet", out: anything},
	{command: "vars", args: "--quiet", out: anything},
	{command: "logs", args: "--limit 1 --quiet", out: anything},
	{command: "exec", args: "-- true", code: codeNotRun, err: `a session cannot be opened$`},
	{command: "tunnel", args: "--port 28766", code: codeNotRun, err: `no port can be forwarded to one$`},
	{command: "tunnel", args: "--env production", code: codeNotRun, err: "^hint: set services.executeCommand in Pulumi.production.yaml to true, and run `deployer up --env production --local --image-tag TAG`"},
	{command: "cost", args: "--quiet", out: anything},
	{command: "outputs", args: "--quiet", out: `^vpcId`},
	{command: "url", out: `^https://staging-api\.\S+$`},
	{command: "history", args: "--limit 1 --quiet", out: anything},
	{command: "history", args: "--stats --quiet", out: `^all of them in the simulated account$`},
	{command: "history", args: "--stats --format html", out: `^</html>$`},
	{command: "lock status", args: "--quiet", out: `^staging is free: no deployer is changing it$`},
	{command: "lock release", out: `^the lock of staging is free$`},
	{command: "secrets check", args: "--quiet", out: anything},
	{command: "secrets init", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "secrets init", args: "--replace --dry-run", input: fullSecret, out: `^balancer-staging-config would be replaced with .*; dry run: nothing was changed$`},
	{command: "secrets set", args: "NODE_ENV --dry-run", input: "testing\n", out: `^NODE_ENV would be \S+ in balancer-staging-config; dry run: nothing was changed$`},
	{command: "secrets set", args: "NODE_ENV", input: "testing\n", out: `^NODE_ENV was \S+ in balancer-staging-config$`, err: anything},
	{command: "secrets set", args: "NODE_ENV", input: "\n", code: codeNotRun, err: anything},
	{command: "secrets init", args: "--replace --force --yes", input: fullSecret, out: `^balancer-staging-config was replaced with .*`, err: anything},
	{command: "secrets diff", args: "--quiet", out: anything},
	{command: "env list", args: "--quiet", out: anything},
	{command: "env validate", args: "--quiet", out: `^Pulumi\.shared\.yaml is valid$`},
	{command: "env new", args: "demo --from dev --dry-run", out: anything},
	{command: "env new", args: "staging --from dev", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "env new", args: "demo --from dev", out: `^    deployer up --env demo --image-tag TAG$`},
	{command: "bootstrap", args: "--dry-run", out: `^no changes$`, err: `^look  +✓ .* 0 resources of the program found outside the stack$`},
	{command: "bootstrap", args: "--quiet", out: anything},
	{command: "import", args: "--env shared --dry-run", out: `^}$`, err: `^shared: the stack has all 19 resources already: nothing to import$`},
	{command: "import", args: "--env shared --take --region eu-west-1", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "import", args: "--env shared --take --yes", err: `^shared: the stack has all 19 resources already: nothing to import$`},
	{command: "doctor", args: "--quiet", out: `^7 healthy of 7; 7 checks skipped$`},
	{command: "doctor", args: "--fault wrong-account", code: codeFailed, out: `^1 error, 1 healthy of 2; 11 checks skipped$`},
	{command: "mcp"}, // its client has closed the connection
	{command: "mcp", args: "--output x.json", code: codeNotRun, err: `^hint: leave --output out$`},
	{command: "local push", args: "9.9.9", out: `^9\.9\.9 is sha256:\S+$`},
	{command: "local push", args: "a/b", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "local faults", args: "--quiet", out: anything},
	{command: "local serve", args: "--address 127.0.0.1:0 --timeout 1s", out: anything, err: `^serving until Ctrl-C$`},
	{command: "destroy", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "destroy", args: "--yes --quiet", // with the restored instance
		out: `^staging was destroyed: [0-9]+ resources deleted, after \S+ \(simulated account\); the final snapshot \S+, the final snapshot \S+-restored-final-\S+, the secret`},
	{command: "up", args: "--env dev --component queue --image-tag latest --skip health,validate --quiet", out: `^queue of development`},
	{command: "destroy", args: "--env dev --dry-run", out: `^[0-9]+ resources of development would be deleted; dry run: nothing was changed$`},
	{command: "destroy", args: "--env dev --yes --quiet", out: `^development was destroyed: [0-9]+ resources deleted, after \S+ \(simulated account\); the secret balancer-dev-config and the records of deployments stay$`},
	{command: "local reset", code: codeNotRun, err: `^deployer: nothing was changed$`},
	{command: "local reset", args: "--yes", out: `^the simulated account in \S+ was deleted, with its stacks and records$`},
	{command: "completion", args: "bash", out: anything},
	{command: "version", args: "--quiet", out: anything},
}

// leafVerbs returns the commands that run something, by their names.
func leafVerbs(prefix string, all []verb) map[string]verb {
	found := map[string]verb{}
	for _, v := range all {
		if v.run != nil && !v.hidden {
			found[prefix+v.name] = v
		}
		for name, below := range leafVerbs(prefix+v.name+" ", v.verbs) {
			found[name] = below
		}
	}
	return found
}

// Every command has a row for its success, every one with a result one with --quiet, every one that changes something also for a refusal, and for a dry run.
func TestEveryCommandHasALastLine(t *testing.T) {
	all := leafVerbs("", verbs())
	for name, v := range all {
		has := func(matches func(lastLine) bool) bool {
			for _, row := range lastLines {
				if row.command == name && matches(row) {
					return true
				}
			}
			return false
		}
		assert.True(t, has(func(lastLine) bool { return true }), "%s has no row", name)
		if len(v.formats) > 0 {
			assert.True(t, has(func(r lastLine) bool { return r.code == codeDone && r.out != "" && strings.Contains(r.args, "--quiet") }),
				"%s prints its result with --quiet in no row", name)
		}
		if v.changes && name != "lock release" { // a lock that another process holds is lock.txtar's
			assert.True(t, has(func(r lastLine) bool { return r.code == codeDone && !strings.Contains(r.args, "--dry-run") }), "%s succeeds in no row", name)
			assert.True(t, has(func(r lastLine) bool { return r.code == codeNotRun }), "%s is refused in no row", name)
		}
		for _, f := range v.flags {
			if f.Names()[0] == "dry-run" {
				assert.True(t, has(func(r lastLine) bool { return strings.Contains(r.args, "--dry-run") }), "%s has no row for a dry run", name)
			}
		}
	}
	for _, row := range lastLines {
		assert.Contains(t, all, row.command)
	}
}

// The last line of each command states what was done, or that nothing was.
func TestLastLines(t *testing.T) {
	t.Parallel()
	root, dir, project := engineRoot(t), t.TempDir(), t.TempDir()
	_, err := deployedStaging(root, dir)
	require.NoError(t, err)
	for _, file := range []string{"Pulumi.yaml", "Pulumi.shared.yaml", "Pulumi.dev.yaml", "Pulumi.staging.yaml", "Pulumi.production.yaml"} {
		content, err := os.ReadFile(root + "/" + file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(project+"/"+file, content, 0o600))
	}
	for _, row := range lastLines {
		name := strings.TrimSpace(row.command + " " + row.args)
		out, errs, code := runDeployer(t, root, project, dir, row)
		printed := "\n" + out + errs
		assert.Equal(t, row.code, code, "%s%s", name, printed)
		for stream, end := range map[string][2]string{"standard output": {row.out, out}, "standard error": {row.err, errs}} {
			want, lines := end[0], strings.Split(strings.TrimRight(end[1], "\n"), "\n")
			last := lines[len(lines)-1]
			if want == "" {
				assert.Empty(t, last, "%s: %s%s", name, stream, printed)
				continue
			}
			assert.Regexp(t, regexp.MustCompile(want), last, "%s: %s%s", name, stream, printed)
		}
		if row.command == "up" && row.code == codeNotRun || row.command == "secrets set" && row.code == codeNotRun {
			assert.Contains(t, errs, "nothing was ", name)
		}
		if row.runs != "" {
			images, _, _ := runDeployer(t, root, project, dir, lastLine{command: "images", args: "--format json"})
			assert.Equal(t, []string{row.runs}, runsInStaging(t, images), name)
		}
	}
}

// runDeployer runs the command of a row, and returns its output and its exit code.
func runDeployer(t *testing.T, root, project, dir string, row lastLine) (out, errs string, code int) {
	command := append(strings.Fields(row.command), globalsFor(row)...)
	cmd := exec.Command("deployer", append(command, strings.Fields(row.args)...)...)
	cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+project, "DEPLOYER_STATE_DIR="+dir, "DEPLOYER_PULUMI="+root+"/bin/pulumi", "HOME="+project, "AWS_EC2_METADATA_DISABLED=true")
	cmd.Stdin = strings.NewReader(row.input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		require.True(t, errors.As(err, new(*exec.ExitError)), "%s %s: %v", row.command, row.args, err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// runsInStaging returns the first tags of the images that run in staging, of the output of `images` as JSON.
func runsInStaging(t *testing.T, images string) []string {
	var listed struct{ Images []release.StoredImage }
	require.NoError(t, json.Unmarshal([]byte(images), &listed), images)
	var tags []string
	for _, image := range listed.Images {
		if slices.ContainsFunc(image.Runs, func(r release.Run) bool { return r.Environment == "staging" }) {
			tags = append(tags, image.Names()[0])
		}
	}
	return tags
}

// globalsFor returns the global flags that the command of a row needs.
func globalsFor(row lastLine) []string {
	switch first, _, _ := strings.Cut(row.command, " "); {
	case slices.Contains([]string{"env", "completion", "version", "local"}, first):
		return nil
	case first == "bootstrap", strings.Contains(row.args, "--env "):
		return []string{"--local"}
	}
	return []string{"--local", "--env", "staging"}
}
