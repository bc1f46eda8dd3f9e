package command

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// workflow is the part of a GitHub workflow, or of a composite action, that runs here.
type workflow struct {
	Jobs yaml.MapSlice `yaml:"jobs"`
	Runs job           `yaml:"runs"`
}

type job struct {
	Env     map[string]string `yaml:"env"`
	Outputs map[string]string `yaml:"outputs"`
	Steps   []step            `yaml:"steps"`
}

type step struct {
	ID        string            `yaml:"id"`
	Run       string            `yaml:"run"`
	Uses      string            `yaml:"uses"`
	Env       map[string]string `yaml:"env"`
	Directory string            `yaml:"working-directory"`
}

// foreign has the first words of steps that need what tests do not have: a container engine, Bun, or GitHub itself.
var foreign = []string{"bun ", "bunx ", "docker ", "echo \"$TOKEN\" | docker ", ".github/scripts/release.sh", "pipx ", "echo \"TODAY="}

// TestWorkflows runs every step of the workflows that uses the deployer, a script or git, as GitHub would, with the same
// arguments, in local mode; the targets of make are only dry runs.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	root := engineRoot(t)
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is missing, which GitHub's machines have and the workflows use")
	}
	r := newRunner(t, root)
	r.step(t, job{}, step{Run: "exec bin/deployer bootstrap --yes"})
	// In the order in which they run in practice.
	for _, name := range []string{"ci", "images", "deploy", "deploy-code", "operate", "preview", "drift", "status"} {
		t.Run(name, func(t *testing.T) { r.workflow(t, filepath.Join(root, ".github", "workflows", name+".yml")) })
	}
	require.Equal(t, "lock release --yes", r.known["needs.plan.outputs.command"])
	t.Run("a rollback", func(t *testing.T) {
		r.known["inputs.command"], r.known["inputs.to"] = "rollback", "1.41.7-9f8e7d6c5"
		r.workflow(t, filepath.Join(root, ".github", "workflows", "operate.yml"))
	})
	require.Regexp(t, `^rollback --to=1\.41\.7-9f8e7d6c5@sha256:[0-9a-f]{64} --wait --yes$`, r.known["needs.plan.outputs.command"])
	files, err := filepath.Glob(filepath.Join(root, ".github", "workflows", "*.yml"))
	require.NoError(t, err)
	require.Len(t, files, 8, "a workflow that is not run here")

	require.FileExists(t, filepath.Join(r.dir, "status.md"))
	posted, err := os.ReadFile(filepath.Join(r.dir, "gh.log"))
	require.NoError(t, err)
	require.Contains(t, string(posted), "api --silent --method POST repos/balancer/v3-backend-infra/issues/7/comments")
	summary, err := os.ReadFile(filepath.Join(r.dir, "summary.md"))
	require.NoError(t, err)
	require.Contains(t, string(summary), "### development: ", "the preview is in the job's summary")
	require.Regexp(t, "The image for development is `1\\.41\\.8-abc123def@sha256:[0-9a-f]{64}`\\.", string(summary), "what is approved")
	exported, err := os.ReadFile(filepath.Join(r.dir, "env"))
	require.NoError(t, err)
	expiries := regexp.MustCompile(`(?m)^AWS_CREDENTIAL_EXPIRATION=(.+)$`).FindAllStringSubmatch(string(exported), -1)
	require.Len(t, expiries, 4, "each workflow that changes an environment exports when its session ends")
	for _, expiry := range expiries {
		end, err := time.Parse(time.RFC3339, expiry[1])
		require.NoError(t, err)
		require.Greater(t, time.Until(end), time.Hour)
	}
}

// runner replaces GitHub: it keeps the outputs of steps and jobs, and evaluates expressions.
type runner struct {
	root, dir string
	known     map[string]string
}

func newRunner(t *testing.T, root string) *runner {
	dir := t.TempDir()
	binary, err := exec.LookPath("deployer")
	require.NoError(t, err)
	for name, target := range map[string]string{
		"bin/deployer": binary, "bin/pulumi": filepath.Join(root, "bin", "pulumi"), ".github": filepath.Join(root, ".github"),
		"Makefile": filepath.Join(root, "Makefile"), "tools": filepath.Join(root, "tools"), "infrastructure": dir,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	settings, err := filepath.Glob(filepath.Join(root, "Pulumi*.yaml"))
	require.NoError(t, err)
	for _, file := range settings {
		require.NoError(t, os.Symlink(file, filepath.Join(dir, filepath.Base(file))))
	}
	// gh logs its arguments. CI has passed for this repository's commits, and its environments limit their branches.
	require.NoError(t, os.Mkdir(filepath.Join(dir, "path"), 0o755))
	gh := "#!/bin/sh\necho \"$@\" >> '" + filepath.Join(dir, "gh.log") + "'\n" + `case "$2" in
repos/balancer/v3-backend-infra/actions/workflows/ci.yml/runs?event=push\&head_sha=*) echo '{"workflow_runs": [{"conclusion": "success"}]}' ;;
repos/balancer/v3-backend-infra/environments/*) echo '{"deployment_branch_policy": {"custom_branch_policies": true}}' ;;
esac
`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "path", "gh"), []byte(gh), 0o755))
	// The two checkouts: that of this repository is the workspace and has another name, too.
	for _, checkout := range []string{dir, filepath.Join(dir, "application")} {
		commit := exec.Command("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--allow-empty", "-m", "first")
		commit.Dir = checkout
		require.NoError(t, exec.Command("git", "init", "--quiet", checkout).Run())
		require.NoError(t, commit.Run())
	}
	return &runner{root: root, dir: dir, known: map[string]string{
		"inputs.environment": "development", "inputs.image-tag": "1.41.8-abc123def", "inputs.directory": ".",
		"github.ref_name": "develop", "github.ref": "refs/heads/develop", "github.sha": strings.Repeat("a", 40), "github.token": "token",
		"github.repository": "balancer/v3-backend-infra", "github.server_url": "https://github.com", "github.run_id": "41",
		"github.event.pull_request.number": "7", "secrets.STATUS_WEBHOOK": "", "vars.STATUS_ENVIRONMENTS": "", "matrix.suite": "unit",
		"secrets.CHECKOUT_TOKEN": "", "steps.build.outputs.digest": "", "inputs.unverified": "",
		"inputs.command": "lock release", "inputs.to": "", "inputs.service": "", "inputs.migration": "", "inputs.force": "false", "inputs.unchecked": "",
		"github.repository_owner": "balancer", "matrix.name": "v3-backend-deployer",
		"matrix.environment": "development", "matrix.os": "linux", "matrix.arch": "amd64",
	}}
}

func (r *runner) workflow(t *testing.T, file string) {
	var w workflow
	body, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(body, &w))
	for _, item := range w.Jobs {
		name := fmt.Sprint(item.Key)
		encoded, err := yaml.Marshal(item.Value)
		require.NoError(t, err)
		var j job
		require.NoError(t, yaml.Unmarshal(encoded, &j))
		r.steps(t, j)
		for output, value := range j.Outputs {
			r.known["needs."+name+".outputs."+output] = r.text(t, value)
		}
	}
}

func (r *runner) steps(t *testing.T, j job) {
	for _, s := range j.Steps {
		if _, action, own := strings.Cut(s.Uses, ".github/actions/"); own {
			var composite workflow
			body, err := os.ReadFile(filepath.Join(r.root, ".github", "actions", action, "action.yml"))
			require.NoError(t, err)
			require.NoError(t, yaml.Unmarshal(body, &composite))
			composite.Runs.Env = j.Env
			r.steps(t, composite.Runs)
			continue
		}
		isForeign := slices.ContainsFunc(foreign, func(start string) bool { return strings.HasPrefix(s.Run, start) })
		if s.Run != "" && !isForeign {
			r.step(t, j, s)
		}
	}
}

var making = regexp.MustCompile(`\bmake [^\n]+`)

func (r *runner) step(t *testing.T, j job, s step) {
	script := r.text(t, s.Run)
	if makes := making.FindString(script); makes != "" {
		script = strings.Replace(makes, "make ", "make --dry-run ", 1) + " > /dev/null"
	}
	output := filepath.Join(t.TempDir(), "output")
	cmd := exec.Command("bash", "-e", "-c", script)
	cmd.Dir = filepath.Join(r.dir, r.text(t, s.Directory))
	cmd.Env = append(os.Environ(),
		"PATH="+filepath.Join(r.dir, "path")+":"+os.Getenv("PATH"), "HOME="+r.dir, "GITHUB_REPOSITORY=balancer/v3-backend-infra",
		"GITHUB_OUTPUT="+output, "GITHUB_ENV="+filepath.Join(r.dir, "env"), "GITHUB_STEP_SUMMARY="+filepath.Join(r.dir, "summary.md"), "GITHUB_REF_NAME=v1.0.0",
		"GITHUB_EVENT_NAME=workflow_dispatch", "GITHUB_RUN_ATTEMPT=1", "GITHUB_TRIGGERING_ACTOR=someone",
		"DEPLOYER_LOCAL=true", "DEPLOYER_STATE_DIR="+filepath.Join(r.dir, "state"), "DEPLOYER_PULUMI="+filepath.Join(r.dir, "bin", "pulumi"))
	for _, env := range []map[string]string{j.Env, s.Env} {
		for name, value := range env {
			cmd.Env = append(cmd.Env, name+"="+r.text(t, value))
		}
	}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s\n%s", script, out)
	set, _ := os.ReadFile(output)
	for line := range strings.Lines(string(set)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		r.known["steps."+s.ID+".outputs."+name] = value
	}
}

var expression = regexp.MustCompile(`\$\{\{\s*(.*?)\s*\}\}`)

// text replaces expressions by their values: the first of a || b that is not empty. An unknown one fails.
func (r *runner) text(t *testing.T, s string) string {
	return expression.ReplaceAllStringFunc(s, func(found string) string {
		for _, part := range strings.Split(expression.FindStringSubmatch(found)[1], "||") {
			part = strings.TrimSpace(part)
			if literal, is := strings.CutPrefix(part, "'"); is {
				return strings.TrimSuffix(literal, "'")
			}
			value, known := r.known[part]
			require.True(t, known, "the expression %s is not known", part)
			if value != "" {
				return value
			}
		}
		return ""
	})
}

// TestGitHubScripts compares the requests of the scripts to GitHub with what exists already.
func TestGitHubScripts(t *testing.T) {
	for name, test := range map[string]struct {
		script []string
		// there is the number of the comment or issue that exists; "" where there is none.
		there string
		code  int
		wants []string
	}{
		"the first preview":  {[]string{"comment.sh", "body.md"}, "", 0, []string{"--method POST repos/o/r/issues/7/comments"}},
		"a later preview":    {[]string{"comment.sh", "body.md"}, "99", 0, []string{"--method PATCH repos/o/r/issues/comments/99"}},
		"no drift, no issue": {[]string{"issue.sh", "0", "body.md"}, "", 0, nil},
		"drift resolved":     {[]string{"issue.sh", "0", "body.md"}, "12", 0, []string{"issue close 12"}},
		"drift found":        {[]string{"issue.sh", "2", "body.md"}, "", 0, []string{"label create drift", "issue create --title Drift in staging"}},
		"drift remains":      {[]string{"issue.sh", "2", "body.md"}, "12", 0, []string{"issue edit 12 --body-file body.md"}},
		"drift unknown":      {[]string{"issue.sh", "3", "body.md"}, "12", 3, nil},
		"drift interrupted":  {[]string{"issue.sh", "130", "body.md"}, "", 130, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			gh := "#!/bin/sh\necho \"$@\" >> asked\ncase \"$*\" in *--jq*) [ -z \"$THERE\" ] || echo \"$THERE\";; esac\n"
			require.NoError(t, os.WriteFile(filepath.Join(dir, "gh"), []byte(gh), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "body.md"), []byte("### staging\n"), 0o644))
			cmd := exec.Command(filepath.Join(projectRoot(t), ".github", "scripts", test.script[0]), test.script[1:]...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "GITHUB_REPOSITORY=o/r", "PULL_REQUEST=7",
				"ENVIRONMENT=staging", "RUN_URL=https://github.com/o/r/actions/runs/1", "THERE="+test.there)
			out, _ := cmd.CombinedOutput()
			require.Equal(t, test.code, cmd.ProcessState.ExitCode(), "%s", out)
			body, _ := os.ReadFile(filepath.Join(dir, "asked"))
			asked := slices.DeleteFunc(strings.Split(string(body), "\n"), func(s string) bool { return s == "" || strings.Contains(s, "--jq") })
			require.Len(t, asked, len(test.wants), "%q", asked)
			for i, want := range test.wants {
				require.Contains(t, asked[i], want)
			}
		})
	}
}
