package command

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// pipeline is the part of a workflow that the rules are about.
type pipeline struct {
	On          any                       `yaml:"on"`
	Permissions *map[string]string        `yaml:"permissions"`
	Jobs        map[string]pipelineJob    `yaml:"jobs"`
	Runs        struct{ Steps []useStep } `yaml:"runs"`
}

type pipelineJob struct {
	Uses        string             `yaml:"uses"`
	Permissions *map[string]string `yaml:"permissions"`
	Timeout     int                `yaml:"timeout-minutes"`
	Steps       []useStep          `yaml:"steps"`
}

type useStep struct {
	Uses string         `yaml:"uses"`
	Run  string         `yaml:"run"`
	With map[string]any `yaml:"with"`
}

var (
	pinned = regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40}$`)
	// foreignText is chosen by the author of a pull request or of a run: it has to be passed as a variable.
	foreignText = regexp.MustCompile(`\$\{\{[^}]*(inputs\.|github\.event\.|github\.head_ref|github\.ref_name)`)
)

// pipelines returns the workflows and composite actions, including the example's, by their paths.
func pipelines(t *testing.T) map[string]pipeline {
	root := projectRoot(t)
	all := map[string]pipeline{}
	for _, pattern := range []string{".github/workflows/*.yml", ".github/actions/*/action.yml", "examples/api/.github/workflows/*.yml"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			var p pipeline
			require.NoError(t, yaml.Unmarshal(body, &p), file)
			name, err := filepath.Rel(root, file)
			require.NoError(t, err)
			all[name] = p
		}
	}
	return all
}

// Jobs name their permissions and have a time limit, actions are pinned by commit, and no foreign text becomes part of a script.
func TestWorkflowsFollowTheRules(t *testing.T) {
	for name, p := range pipelines(t) {
		assert.NotContains(t, fmt.Sprint(p.On), "pull_request_target", "%s: strangers' code with this repository's rights", name)
		steps := p.Runs.Steps
		if strings.Contains(name, "workflows") {
			require.NotNil(t, p.Permissions, "%s sets the default permissions of its jobs", name)
			assert.Empty(t, *p.Permissions, "%s: permissions belong to jobs", name)
		}
		for id, j := range p.Jobs {
			assert.NotNil(t, j.Permissions, "%s: %s names its permissions", name, id)
			assert.True(t, j.Timeout > 0 || j.Uses != "", "%s: %s has a time limit", name, id)
			steps = append(steps, j.Steps...)
		}
		for _, s := range steps {
			own := strings.HasPrefix(s.Uses, "./")
			assert.True(t, s.Uses == "" || own || pinned.MatchString(s.Uses), "%s: %s is pinned by its commit", name, s.Uses)
			assert.NotRegexp(t, foreignText, s.Run, "%s", name)
			if strings.HasPrefix(s.Uses, "actions/checkout@") {
				assert.Equal(t, false, s.With["persist-credentials"], "%s: a checkout keeps no token", name)
			}
		}
	}
}

// The pipelines follow the environments' files, and push images under the tags that the deployer uses.
func TestWorkflowsMatchTheEnvironments(t *testing.T) {
	all := pipelines(t)
	environments, err := environment.LoadAll(projectRoot(t))
	require.NoError(t, err)
	var pushed []any
	for _, env := range environments {
		if env.Delivery.Trigger == environment.OnPush {
			pushed = append(pushed, env.Delivery.Branch)
		}
	}
	for _, name := range []string{".github/workflows/deploy-code.yml", "examples/api/.github/workflows/deploy.yml"} {
		push := all[name].On.(map[string]any)["push"].(map[string]any)
		require.ElementsMatch(t, pushed, push["branches"], name)
	}
	steps := all[".github/workflows/deploy-code.yml"].Jobs["deploy"].Steps
	built := slices.IndexFunc(steps, func(s useStep) bool { return strings.HasPrefix(s.Uses, "docker/build-push-action@") })
	require.GreaterOrEqual(t, built, 0)
	require.Equal(t, "mode=max", steps[built].With["provenance"])
	require.Equal(t, true, steps[built].With["sbom"])
	const repository = "${{ needs.plan.outputs.repository }}:"
	require.Equal(t, repository+"${{ needs.plan.outputs.commit }}\n"+
		repository+"${{ needs.plan.outputs.stack }}-latest\n"+
		repository+"release-${{ env.TODAY }}\n", steps[built].With["tags"])
}

// sources returns the files that binaries are built from, relative to the root, according to go list.
func sources(t *testing.T, binaries ...string) []string {
	root := projectRoot(t)
	list := exec.Command("go", append([]string{"list", "-deps", "-json=Dir,GoFiles,EmbedFiles,Module"}, binaries...)...)
	list.Dir = root
	out, err := list.Output()
	require.NoError(t, err)
	var files []string
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Dir                 string
			GoFiles, EmbedFiles []string
			Module              *struct{ Main bool }
		}
		err := decoder.Decode(&p)
		if err == io.EOF {
			require.Greater(t, len(files), 300, "the list is incomplete")
			return files
		}
		require.NoError(t, err)
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, name := range slices.Concat(p.GoFiles, p.EmbedFiles) {
			file, err := filepath.Rel(root, filepath.Join(p.Dir, name))
			require.NoError(t, err)
			files = append(files, file)
		}
	}
}

// .dockerignore excludes no file that is compiled.
func TestDockerignoreKeepsAllSources(t *testing.T) {
	content, err := os.Open(filepath.Join(projectRoot(t), ".dockerignore"))
	require.NoError(t, err)
	defer func() { require.NoError(t, content.Close()) }()
	patterns, err := ignorefile.ReadAll(content)
	require.NoError(t, err)
	matcher, err := patternmatcher.New(patterns)
	require.NoError(t, err)
	needed := append(sources(t, "./deployer", "./entrypoint"), "go.mod", "go.sum", "Makefile", "tools/go.mod", "tools/go.sum",
		"tools/compiled.awk", "Pulumi.yaml", "Pulumi.shared.yaml", "Pulumi.production.yaml")
	for _, file := range needed {
		ignored, err := matcher.MatchesOrParentMatches(file)
		require.NoError(t, err)
		assert.False(t, ignored, "%s does not reach the container engine", file)
	}
	ignored, err := matcher.MatchesOrParentMatches(".git/config")
	require.NoError(t, err)
	require.True(t, ignored)
}

// The cache key of the binaries covers all of their sources.
func TestCacheKeyCoversAllSources(t *testing.T) {
	action := pipelines(t)[".github/actions/deployer/action.yml"]
	var keys []string
	for _, s := range action.Runs.Steps {
		for _, found := range regexp.MustCompile(`format\('\{0\}/([^']+)'`).FindAllStringSubmatch(fmt.Sprint(s.With["key"]), -1) {
			keys = append(keys, found[1])
		}
	}
	require.NotEmpty(t, keys)
	matcher, err := patternmatcher.New(keys)
	require.NoError(t, err)
	for _, file := range append(sources(t, "./deployer", "./entrypoint"), "go.mod", "go.sum", "Makefile", "tools/go.mod") {
		known, err := matcher.MatchesOrParentMatches(file)
		require.NoError(t, err)
		assert.True(t, known, "a change of %s leaves the old binary in the cache", file)
	}
}

// The example's image has the programs that the defaults of environments run.
func TestExampleImageHasDefaultPrograms(t *testing.T) {
	root := projectRoot(t)
	dockerfile, err := os.ReadFile(filepath.Join(root, "examples", "api", "Dockerfile"))
	require.NoError(t, err)
	env, err := environment.Load(root, "staging")
	require.NoError(t, err)
	require.Contains(t, string(dockerfile), "/usr/local/bin/"+env.Deployment.Migrations.Command[0])
	program, _, _ := strings.Cut(env.Services.API.HealthCheck[1], " ")
	require.Regexp(t, `apt-get install .* `+program+`\b`, string(dockerfile))
}

// The example's image, and the page that shows how an image is built, require the keys that the environments' files require.
func TestExampleImageRequiresTheSameKeys(t *testing.T) {
	root := projectRoot(t)
	envs, err := environment.LoadAll(root)
	require.NoError(t, err)
	requiring := regexp.MustCompile(`(?m)^ENTRYPOINT \["/usr/local/bin/entrypoint", "--require", "([^"]+)", "--"\]$`)
	for _, file := range []string{"examples/api/Dockerfile", "docs/configuration.md"} {
		content, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		found := requiring.FindStringSubmatch(string(content))
		require.NotNil(t, found, file)
		for _, env := range envs {
			require.ElementsMatch(t, env.Configuration.Required, strings.Split(found[1], ","), "%s and %s", file, environment.FileName(env.Stack))
		}
	}
}

// fakeGH returns a PATH on which gh is a shell script.
func fakeGH(t *testing.T, script string) (path string) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gh"), []byte("#!/bin/bash\nset -e\n"+script), 0o755))
	return "PATH=" + dir + ":" + os.Getenv("PATH")
}

func TestReleaseVerifiesChecksums(t *testing.T) {
	const download = `
case "$1 $2" in
"run download")
  [ "$4 $5 $6" = "--pattern binaries-* --dir" ]
  for machine in linux_amd64 darwin_arm64; do
    mkdir -p artifacts/binaries-$machine && cd artifacts/binaries-$machine
    echo $machine > deployer_$machine && echo $machine > entrypoint_$machine
    sha256sum -- *_$machine > SHA256SUMS_$machine
    cd - > /dev/null
  done
  `
	const create = `;;
"release create") shift 2; echo "$@" > ../asked ;;
esac
`
	script := filepath.Join(projectRoot(t), ".github", "scripts", "release.sh")
	for name, test := range map[string]struct {
		spoil string
		code  int
		want  string
	}{
		"complete":         {"", 0, ""},
		"changed binary":   {"echo other > artifacts/binaries-linux_amd64/deployer_linux_amd64", 1, "FAILED"},
		"missing checksum": {"echo other > artifacts/binaries-linux_amd64/stranger", 1, "a binary has no checksum"},
		"no binary":        {"rm -r artifacts/*", 1, "SHA256SUMS"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(script)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), fakeGH(t, download+test.spoil+create), "GITHUB_RUN_ID=41", "GITHUB_REF_NAME=v1.2.3")
			out, _ := cmd.CombinedOutput()
			require.Equal(t, test.code, cmd.ProcessState.ExitCode(), "%s", out)
			require.Contains(t, string(out), test.want)
			asked, err := os.ReadFile(filepath.Join(cmd.Dir, "asked"))
			if test.code != 0 {
				require.ErrorIs(t, err, os.ErrNotExist, "no release is created")
				return
			}
			require.NoError(t, err)
			require.Equal(t, "v1.2.3 --verify-tag --generate-notes -- SHA256SUMS deployer_darwin_arm64 deployer_linux_amd64 "+
				"entrypoint_darwin_arm64 entrypoint_linux_amd64\n", string(asked))
		})
	}
}

// A run deploys the environment that it names, else the one of its branch; production only from its own branch.
func TestEnvironmentOfARun(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is missing, which GitHub's machines have and the script uses")
	}
	root := projectRoot(t)
	dir := t.TempDir()
	deployer, err := exec.LookPath("deployer")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.Symlink(deployer, filepath.Join(dir, "bin", "deployer")))
	for name, test := range map[string]struct {
		environment, branch string
		code                int
		want                string
	}{
		"a push to develop":           {"", "develop", 0, "stack=dev\nname=development\n"},
		"a push to staging":           {"", "staging", 0, "stack=staging\nname=staging\n"},
		"staging manually":            {"staging", "feature", 0, "stack=staging\n"},
		"a stack's name":              {"dev", "feature", 0, "name=development\n"},
		"production from main":        {"production", "main", 0, "stack=production\n"},
		"production from elsewhere":   {"production", "develop", 3, "::error::production is deployed from main, not from develop"},
		"a push that deploys nothing": {"", "main", 3, "::error::no environment is deployed by a push to main"},
		"an unknown environment":      {"prodution", "main", 3, "::error::no environment is prodution"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(filepath.Join(root, ".github", "scripts", "plan.sh"))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+root, "ENVIRONMENT="+test.environment, "BRANCH="+test.branch)
			out, _ := cmd.CombinedOutput()
			require.Equal(t, test.code, cmd.ProcessState.ExitCode(), "%s", out)
			require.Contains(t, string(out), test.want)
		})
	}
}
