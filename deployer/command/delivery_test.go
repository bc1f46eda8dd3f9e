package command

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	goversion "go/version"
	"io"
	"maps"
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
	Concurrency any                       `yaml:"concurrency"`
	Jobs        map[string]pipelineJob    `yaml:"jobs"`
	Runs        struct{ Steps []useStep } `yaml:"runs"`
}

type pipelineJob struct {
	Name        string             `yaml:"name"`
	Uses        string             `yaml:"uses"`
	Needs       any                `yaml:"needs"`
	Environment map[string]string  `yaml:"environment"`
	Concurrency map[string]any     `yaml:"concurrency"`
	Permissions *map[string]string `yaml:"permissions"`
	Timeout     int                `yaml:"timeout-minutes"`
	RunsOn      string             `yaml:"runs-on"`
	Steps       []useStep          `yaml:"steps"`
}

type useStep struct {
	If   string         `yaml:"if"`
	Uses string         `yaml:"uses"`
	Run  string         `yaml:"run"`
	With map[string]any `yaml:"with"`
	// Env has the variables of the step alone.
	Env map[string]string `yaml:"env"`
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

// A job that waits for an approval names what is approved and blocks no other run. It is planned by a job without the rights of the
// environment, which refuses commits that CI has not passed and environments without protection.
func TestJobsWithApproval(t *testing.T) {
	const name, unverified = "${{ needs.plan.outputs.name }}", "${{ inputs.unverified && format(', unverified: {0}', inputs.unverified) }}"
	gated := map[string]string{
		".github/workflows/deploy.yml":      "${{ needs.plan.outputs.image }} to " + name + unverified,
		".github/workflows/deploy-code.yml": "${{ needs.plan.outputs.image || needs.plan.outputs.commit }} to " + name + unverified,
		".github/workflows/operate.yml": "${{ needs.plan.outputs.command }} in " + name +
			"${{ inputs.unchecked && format(', unchecked: {0}', inputs.unchecked) }}",
	}
	for name, p := range pipelines(t) {
		for id, j := range p.Jobs {
			if j.Environment == nil {
				continue
			}
			require.Contains(t, gated, name)
			assert.Equal(t, gated[name], j.Name)
			delete(gated, name)
			assert.Equal(t, map[string]string{"name": "${{ needs.plan.outputs.name }}", "url": "${{ needs.plan.outputs.url }}"}, j.Environment, "%s: %s", name, id)
			assert.Contains(t, fmt.Sprint(j.Needs), "plan", "%s: %s", name, id)
			assert.Nil(t, p.Concurrency, "%s: a run that waits would hold the group", name)
			if j.Concurrency != nil {
				assert.Contains(t, j.Concurrency["group"], "needs.plan.outputs.approval == 'true' && github.run_id ||", "%s: %s", name, id)
			}
			for _, script := range []string{"plan.sh", "protected.sh", "passed.sh"} {
				assert.GreaterOrEqual(t, stepWith(p.Jobs["plan"].Steps, script), 0, "%s: %s", name, script)
			}
			// Its inputs are checked by plan, which is not repeated with the job: only what plan has printed is run here.
			protects := stepWith(j.Steps, "protected.sh")
			require.GreaterOrEqual(t, protects, 0, "%s: %s may be repeated by anyone who may write", name, id)
			assert.Equal(t, "needs.plan.outputs.approval == 'true'", j.Steps[protects].If)
			assert.Less(t, protects, slices.IndexFunc(j.Steps, func(s useStep) bool { return strings.Contains(s.Uses, "aws-credentials@") }))
			for _, s := range j.Steps {
				for variable, value := range s.Env {
					assert.True(t, variable == "UNVERIFIED" || !strings.Contains(value, "inputs."), "%s: the name does not show %s", name, variable)
				}
			}
			for _, reason := range regexp.MustCompile(`inputs\.(un\w+)`).FindAllStringSubmatch(j.Name, -1) {
				plan := p.Jobs["plan"].Steps
				assert.Equal(t, "${{ inputs."+reason[1]+" }}", plan[stepWith(plan, "protected.sh")].Env[strings.ToUpper(reason[1])], name)
			}
		}
	}
	require.Empty(t, gated)
}

// stepWith returns the index of the step that runs a script, or -1.
func stepWith(steps []useStep, script string) int {
	return slices.IndexFunc(steps, func(s useStep) bool { return strings.Contains(s.Run, script) })
}

// Jobs of one run use the same commit of this repository, even if its branch moves while the run waits for an approval.
func TestOneInfrastructureCommit(t *testing.T) {
	for id, j := range pipelines(t)[".github/workflows/deploy-code.yml"].Jobs {
		for _, s := range j.Steps {
			if s.With["repository"] != "balancer/v3-backend-infra" {
				continue
			}
			want := "${{ needs.plan.outputs.infrastructure }}"
			if id == "plan" {
				want = "${{ inputs.infrastructure || github.sha }}"
			}
			require.Equal(t, want, s.With["ref"], id)
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
	// The image has the time of its commit, of which lead times are computed.
	require.True(t, slices.ContainsFunc(steps[:built], func(s useStep) bool {
		return s.If == steps[built].If && s.Run == `echo "SOURCE_DATE_EPOCH=$(git -C application show -s --format=%ct)" >> "$GITHUB_ENV"`
	}))
	// The runner has the platform of the image, for which it builds the entrypoint too.
	require.Equal(t, "${{ needs.plan.outputs.platform }}", steps[built].With["platforms"])
	require.Equal(t, "${{ inputs.image-tag == '' && needs.plan.outputs.platform == '"+(&environment.Environment{Image: environment.Image{
		Architecture: environment.ARM64}}).Platform()+"' && 'ubuntu-24.04-arm' || 'ubuntu-24.04' }}",
		all[".github/workflows/deploy-code.yml"].Jobs["deploy"].RunsOn)
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
	needed := append(sources(t, "./deployer", "./entrypoint", "./internal/licenses"), "LICENSE", "go.mod", "go.sum", "Makefile",
		"tools/go.mod", "tools/go.sum", "tools/compiled.awk", "tools/providers.sh", "tools/providers.sha256",
		"Pulumi.yaml", "Pulumi.shared.yaml", "Pulumi.production.yaml")
	for _, file := range needed {
		ignored, err := matcher.MatchesOrParentMatches(file)
		require.NoError(t, err)
		assert.False(t, ignored, "%s does not reach the container engine", file)
	}
	ignored, err := matcher.MatchesOrParentMatches(".git/config")
	require.NoError(t, err)
	require.True(t, ignored)
}

// A cached step is one that restores or saves a cache.
type cached struct{ paths, key string }

// caches returns the caches of the composite action that builds the deployer, restored and saved ones.
func caches(t *testing.T) (restored, saved []cached) {
	for _, s := range pipelines(t)[".github/actions/deployer/action.yml"].Runs.Steps {
		c := cached{fmt.Sprint(s.With["path"]), fmt.Sprint(s.With["key"])}
		switch {
		case strings.HasPrefix(s.Uses, "actions/cache/restore@"):
			require.Equal(t, "inputs.cache == 'true'", s.If)
			restored = append(restored, c)
		case strings.HasPrefix(s.Uses, "actions/cache/save@"):
			require.Contains(t, s.If, "inputs.cache == 'true' && github.event_name != 'pull_request' && ", "a cache that no other run can use is not saved")
			saved = append(saved, c)
		default:
			require.NotContains(t, s.Uses, "cache")
		}
	}
	return restored, saved
}

// No binary whose contents depend on the project's sources comes from a cache, so that its version is that of the checkout. What does is
// keyed by all that decides its contents, and its path is the same in all workflows.
func TestCachesOfThePipelines(t *testing.T) {
	restored, saved := caches(t)
	const modules, engine, providers = "~/.cache/go-build\n~/go/pkg/mod\n", "~/.cache/deployer/engine", "~/.cache/deployer/pulumi"
	keyed := map[string][]string{
		modules:   {"steps.go.outputs.version", "'{0}/go.sum'", "'{0}/tools/go.sum'"},
		engine:    {"steps.go.outputs.version", "'{0}/tools/go.mod'", "'{0}/tools/go.sum'", "'{0}/Makefile'"},
		providers: {"'{0}/go.mod'", "'{0}/tools/providers.*'"},
	}
	require.Len(t, restored, len(keyed))
	require.Len(t, saved, len(keyed))
	for i, c := range restored {
		require.Equal(t, c.paths, saved[i].paths, "a cache is saved with the paths that it is restored with")
		require.Regexp(t, `^\$\{\{ steps\.\w+\.outputs\.cache-primary-key \}\}$`, saved[i].key)
		require.NotEmpty(t, keyed[c.paths], c.paths)
		for _, part := range append(keyed[c.paths], "runner.os", "runner.arch") {
			assert.Contains(t, c.key, part, c.paths)
		}
		assert.NotContains(t, c.key, ".go'", "%s: a change of one file must not discard it", c.paths)
	}
}

// What plans or deploys an environment with approval is built without caches: those of the default branch may be another environment's.
func TestApprovedJobsUseNoCache(t *testing.T) {
	for name, p := range pipelines(t) {
		gated := slices.ContainsFunc(slices.Collect(maps.Values(p.Jobs)), func(j pipelineJob) bool { return j.Environment != nil })
		for id, j := range p.Jobs {
			for i, s := range j.Steps {
				switch {
				case !gated || !strings.HasSuffix(s.Uses, ".github/actions/deployer"):
					continue
				case j.Environment != nil:
					assert.Equal(t, "${{ needs.plan.outputs.approval != 'true' }}", s.With["cache"], "%s: %s", name, id)
				default:
					assert.Equal(t, "${{ steps.cache.outputs.cache }}", s.With["cache"], "%s: %s", name, id)
					decides := stepWith(j.Steps, "cache.sh")
					assert.True(t, decides >= 0 && decides < i && j.Steps[decides].Env["REF"] == "${{ github.ref }}", "%s: %s", name, id)
				}
			}
		}
	}
	const staging, production = "      branch: main\n      approval: false\n", "      branch: main\n      approval: true\n"
	for name, test := range map[string]struct {
		ref   string
		files []string
		want  string
	}{
		"no approval":                   {"refs/heads/main", []string{staging}, "true"},
		"approval":                      {"refs/heads/main", []string{production}, "false"},
		"approval of one":               {"refs/heads/main", []string{staging, production}, "false"},
		"approval of another branch":    {"refs/heads/main", []string{staging, strings.Replace(production, "main", "release", 1)}, "true"},
		"a branch without environment":  {"refs/heads/feature", []string{staging}, "false"},
		"a branch with a similar name":  {"refs/heads/mai.", []string{staging}, "false"},
		"a tag":                         {"refs/tags/main", []string{staging}, "false"},
		"no branch":                     {"", []string{staging}, "false"},
		"a file that is not understood": {"refs/heads/main", []string{strings.Replace(staging, "false", "no", 1)}, "false"},
		"no files":                      {"refs/heads/main", nil, "false"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for i, file := range test.files {
				require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("Pulumi.%d.yaml", i)), []byte(file), 0o644))
			}
			require.Equal(t, "cache="+test.want+"\n", cacheOutput(t, dir, test.ref))
		})
	}
	environments, err := environment.LoadAll(projectRoot(t))
	require.NoError(t, err)
	for _, env := range environments {
		require.Equal(t, fmt.Sprintf("cache=%v\n", !env.Delivery.Approval), cacheOutput(t, projectRoot(t), "refs/heads/"+env.Delivery.Branch), env.Name)
	}
}

func cacheOutput(t *testing.T, dir, ref string) string {
	cmd := exec.Command(filepath.Join(projectRoot(t), ".github", "scripts", "cache.sh"))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "REF="+ref)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// A release is built from the checkout, not from a second fetch of its ref; it is attested only where GitHub does that. What it and the
// tests over the wire install is pinned.
func TestReleaseIsBuiltFromTheCheckout(t *testing.T) {
	ci := pipelines(t)[".github/workflows/ci.yml"]
	step := func(job, action string) useStep {
		steps := ci.Jobs[job].Steps
		i := slices.IndexFunc(steps, func(s useStep) bool { return strings.HasPrefix(s.Uses, action+"@") })
		require.GreaterOrEqual(t, i, 0, "%s has no step %s", job, action)
		return steps[i]
	}
	build := step("images", "docker/build-push-action")
	require.Equal(t, ".", build.With["context"])
	require.Equal(t, "${{ matrix.platforms }}", build.With["platforms"])
	require.Equal(t, "github.event.repository.visibility == 'public' || vars.ATTESTATIONS == 'true'", step("binaries", "actions/attest-build-provenance").If)
	require.Equal(t, step("binaries", "actions/attest-build-provenance").If, step("images", "actions/attest-build-provenance").If)
	require.Equal(t, "${{ steps.build.outputs.digest }}", step("images", "actions/attest-build-provenance").With["subject-digest"])
	for name, p := range pipelines(t) {
		for _, j := range p.Jobs {
			for _, s := range j.Steps {
				switch action, _, _ := strings.Cut(s.Uses, "@"); action {
				case "docker/setup-buildx-action":
					require.Regexp(t, `^image=moby/buildkit:.+@sha256:`, s.With["driver-opts"], name)
				case "docker/build-push-action":
					require.Regexp(t, `^generator=docker/buildkit-syft-scanner:.+@sha256:`, s.With["sbom"], name)
				}
				if strings.Contains(s.Run, "pipx install") {
					require.Contains(t, s.Run, "--constraint $PWD/tools/e2e/constraints.txt", name)
				}
			}
		}
	}
	constraints, err := os.ReadFile(filepath.Join(projectRoot(t), "tools", "e2e", "constraints.txt"))
	require.NoError(t, err)
	require.Regexp(t, `(?m)^moto==`, string(constraints))
	require.NotRegexp(t, `(?m)^[^#=\n]+$`, string(constraints), "a version is missing")
}

// An imageStage is a stage of a Dockerfile: what it is based on, and its instructions.
type imageStage struct{ base, text string }

func imageStages(t *testing.T, file string) map[string]imageStage {
	content, err := os.ReadFile(filepath.Join(projectRoot(t), file))
	require.NoError(t, err)
	all := map[string]imageStage{}
	starts := regexp.MustCompile(`(?m)^FROM (?:--\S+ )?(\S+) AS (\S+)\n`).FindAllStringSubmatchIndex(string(content), -1)
	for i, at := range starts {
		end := len(content)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		all[string(content[at[4]:at[5]])] = imageStage{string(content[at[2]:at[3]]), string(content[at[1]:end])}
	}
	return all
}

// The image of the entrypoint, which the application's developers build, needs neither the engine nor the providers, and has the licenses
// of what is linked in, as the application's image does.
func TestImagesOfBinaries(t *testing.T) {
	own := imageStages(t, "Dockerfile")
	require.Equal(t, "scratch", own["entrypoint"].base)
	require.Regexp(t, `^golang:[0-9.]+-bookworm@sha256:`, own["build-entrypoint"].base)
	for _, from := range regexp.MustCompile(`--from=(\S+)`).FindAllStringSubmatch(own["entrypoint"].text, -1) {
		require.Equal(t, "build-entrypoint", from[1])
	}
	for _, word := range []string{"pulumi", "plugins", "bin/deployer", "build\n"} {
		require.NotContains(t, own["build-entrypoint"].text, word)
	}
	const licenses = "entrypoint.licenses.txt"
	require.Contains(t, own["entrypoint"].text, licenses)
	require.Contains(t, imageStages(t, "examples/api/Dockerfile")["production"].text, licenses)
	for _, file := range []string{"deployer.licenses.txt", "pulumi.licenses.txt"} {
		require.Contains(t, own["deployer"].text, file)
	}
}

// Tests, image and lock file of the example use one version of Bun, and the images one of Go that go.mod allows.
func TestImagesHaveOneVersionOfEach(t *testing.T) {
	root := projectRoot(t)
	manifest, err := os.ReadFile(filepath.Join(root, "examples", "api", "package.json"))
	require.NoError(t, err)
	var bun struct{ PackageManager string }
	require.NoError(t, json.Unmarshal(manifest, &bun))
	require.Regexp(t, "^oven/"+strings.Replace(bun.PackageManager, "@", ":", 1)+"-slim@sha256:", imageStages(t, "examples/api/Dockerfile")["base"].base)
	lock, err := os.ReadFile(filepath.Join(root, "examples", "api", "bun.lock"))
	require.NoError(t, err)
	require.Contains(t, string(lock), "\"lockfileVersion\": 1,", "Bun 1.3 reads no later version")
	own := imageStages(t, "Dockerfile")
	require.Equal(t, own["build-entrypoint"].base, own["build-deployer"].base)
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	need := regexp.MustCompile(`(?m)^go ([\d.]+)$`).FindStringSubmatch(string(module))
	has := regexp.MustCompile(`^golang:([\d.]+)-`).FindStringSubmatch(own["build-entrypoint"].base)
	require.NotEmpty(t, need)
	require.NotEmpty(t, has)
	require.GreaterOrEqual(t, goversion.Compare("go"+has[1], "go"+need[1]), 0, "the image has an older Go than go.mod asks for, and downloads none")
}

// What floats is found, wherever it is written, unless the list of exceptions names it with a date and a reason.
func TestPins(t *testing.T) {
	const digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	good := map[string]string{
		"Dockerfile":                   "# syntax=docker/dockerfile:1.25.0" + digest + "\nFROM --platform=$BUILDPLATFORM golang:1.26.8" + digest + " AS build\nFROM build AS again\nFROM scratch\n",
		"examples/api/Dockerfile":      "ARG ENTRYPOINT_IMAGE=ghcr.io/balancer/e:latest\nFROM ${ENTRYPOINT_IMAGE}\n",
		"examples/api/compose.yml":     "services:\n  database:\n    image: postgres:16" + digest + "\n    environment:\n      IMAGE: ${{ x }}\n",
		".github/workflows/ci.yml":     "        driver-opts: image=moby/buildkit:v1" + digest + "\n        sbom: generator=docker/scanner:1" + digest + "\n",
		"go.mod":                       "require (\n\tgithub.com/pulumi/pulumi-aws/sdk/v6 v6.83.2\n\tgithub.com/pulumi/pulumi-awsx/sdk/v2 v2.22.0\n)\n",
		"tools/providers.sha256":       strings.Repeat("a", 64) + "  pulumi-resource-aws-v6.83.2-linux-amd64.tar.gz\n" + strings.Repeat("b", 64) + "  pulumi-resource-awsx-v2.22.0-linux-amd64.tar.gz\n",
		"tools/unpinned.txt":           "# exceptions\nghcr.io/balancer/e:latest 2026-11-30 our own\n",
		"examples/api/.github/d.yml":   "jobs: {}\n",
		"examples/ignored/README.md":   "image: floats\n",
		".github/actions/a/action.yml": "runs: {}\n",
	}
	for name, test := range map[string]struct {
		file, old, new string
		want           string // the error; "" for none
	}{
		"all pinned":                  {want: ""},
		"base image":                  {"Dockerfile", "golang:1.26.8" + digest, "golang:1.26.8", "golang:1.26.8 is not pinned"},
		"front end":                   {"Dockerfile", "dockerfile:1.25.0" + digest, "dockerfile:1", "docker/dockerfile:1 is not pinned"},
		"a short digest":              {"examples/api/compose.yml", digest, digest[:20], "is not pinned"},
		"image of a service":          {"examples/api/compose.yml", digest, "", "postgres:16 is not pinned"},
		"builder":                     {".github/workflows/ci.yml", "buildkit:v1" + digest, "buildkit:v1", "moby/buildkit:v1 is not pinned"},
		"scanner":                     {".github/workflows/ci.yml", "scanner:1" + digest, "scanner:1", "docker/scanner:1 is not pinned"},
		"a new version of a provider": {"go.mod", "v6.83.2", "v6.84.0", "pulumi-resource-aws-v6.84.0 is not pinned"},
		"an exception without reason": {"tools/unpinned.txt", " our own", "", "ghcr.io/balancer/e:latest is not pinned"},
		"an exception without date":   {"tools/unpinned.txt", " 2026-11-30", "", "ghcr.io/balancer/e:latest is not pinned"},
		"an exception without need":   {"tools/unpinned.txt", "our own\n", "our own\npostgres:16 2026-11-30 why\n", "has postgres:16, which is pinned or not used"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range good {
				if file == test.file {
					require.Contains(t, content, test.old)
					content = strings.Replace(content, test.old, test.new, 1)
				}
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644))
			}
			check := exec.Command(filepath.Join(projectRoot(t), "tools", "pins.sh"), "check")
			check.Env = append(os.Environ(), "PINS_ROOT="+dir)
			out, err := check.CombinedOutput()
			if test.want == "" {
				require.NoError(t, err, "%s", out)
				require.Empty(t, out)
				return
			}
			require.Error(t, err)
			require.Contains(t, string(out), test.want)
		})
	}
	out, err := exec.Command(filepath.Join(projectRoot(t), "tools", "pins.sh"), "check").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// An update writes the digest of every tag, also of one that was pinned, and the checksum on which two servers agree.
func TestPinsUpdate(t *testing.T) {
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skip("perl is missing, which git needs and the script uses")
	}
	old, current := "@sha256:"+strings.Repeat("0", 64), "@sha256:"+strings.Repeat("d", 64)
	for name, test := range map[string]struct {
		other string // what the second server has
		want  string // the error
	}{
		"same archives":      {"archive", ""},
		"different archives": {"another", "two servers have different archives pulumi-resource-aws-v1.2.3-linux-amd64.tar.gz"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range map[string]string{
				"Dockerfile":               "FROM golang:1.26\nFROM golang:1.26-alpine" + old + " AS build\n",
				"examples/compose.yml":     "    image: golang:1.26\n",
				".github/workflows/ci.yml": "        driver-opts: image=moby/buildkit:v1\n",
				"go.mod":                   "\tgithub.com/pulumi/pulumi-aws/sdk/v6 v1.2.3\n",
				"tools/providers.sha256":   "# header\n" + strings.Repeat("e", 64) + "  pulumi-resource-aws-v1.0.0-linux-amd64.tar.gz\n",
				"tools/unpinned.txt":       "# none\n",
				"path/docker":              "#!/bin/bash\n[ \"$*\" = \"buildx imagetools inspect $4 --format {{.Manifest.Digest}}\" ] && echo '" + current[1:] + "'\n",
				"path/curl": "#!/bin/bash\ncase ${!#} in https://github.com/pulumi/pulumi-aws/releases/download/v1.2.3/*) printf archive ;;\n" +
					"https://get.pulumi.com/releases/plugins/*) printf " + test.other + " ;; esac\n",
			} {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, file)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o755))
			}
			update := exec.Command(filepath.Join(projectRoot(t), "tools", "pins.sh"), "update")
			update.Env = append(os.Environ(), "PINS_ROOT="+dir, "PATH="+filepath.Join(dir, "path")+":"+os.Getenv("PATH"))
			out, err := update.CombinedOutput()
			if test.want != "" {
				require.Error(t, err)
				require.Contains(t, string(out), test.want)
				return
			}
			require.NoError(t, err, "%s", out)
			read := func(file string) string {
				content, err := os.ReadFile(filepath.Join(dir, file))
				require.NoError(t, err)
				return string(content)
			}
			require.Equal(t, "FROM golang:1.26"+current+"\nFROM golang:1.26-alpine"+current+" AS build\n", read("Dockerfile"))
			require.Equal(t, "    image: golang:1.26"+current+"\n", read("examples/compose.yml"))
			require.Equal(t, "        driver-opts: image=moby/buildkit:v1"+current+"\n", read(".github/workflows/ci.yml"))
			sum := fmt.Sprintf("%x", sha256.Sum256([]byte("archive")))
			require.Equal(t, "# header\n"+sum+"  pulumi-resource-aws-v1.2.3-linux-amd64.tar.gz\n"+sum+"  pulumi-resource-aws-v1.2.3-linux-arm64.tar.gz\n"+
				sum+"  pulumi-resource-aws-v1.2.3-darwin-arm64.tar.gz\n", read("tools/providers.sha256"))
		})
	}
}

// The providers are verified with the checksums that are known, and installed with a warning where one is not.
func TestProvidersAreVerified(t *testing.T) {
	root := t.TempDir()
	sums := strings.Repeat("a", 64) + "  pulumi-resource-aws-v1.2.3-linux-amd64.tar.gz\n"
	for file, content := range map[string]string{
		"tools/providers.sha256": sums,
		"go": `#!/bin/bash
case "$*" in
"env GOOS") echo linux ;;
"env GOARCH") echo amd64 ;;
"list -m"*pulumi-aws/*) echo v1.2.3 ;;
"list -m"*pulumi-awsx/*) echo v4.5.6 ;;
esac
`,
		"engine": "#!/bin/bash\necho \"$@\"\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, file), []byte(content), 0o755))
	}
	script, err := os.ReadFile(filepath.Join(projectRoot(t), "tools", "providers.sh"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "tools", "providers.sh"), script, 0o755))
	install := exec.Command(filepath.Join(root, "tools", "providers.sh"), filepath.Join(root, "engine"))
	install.Env = append(os.Environ(), "PATH="+root+":"+os.Getenv("PATH"))
	out, err := install.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "plugin install resource aws v1.2.3 --checksum "+strings.Repeat("a", 64)+"\n"+
		"warning: pulumi-resource-awsx-v4.5.6-linux-amd64.tar.gz is not verified: tools/providers.sha256 does not have it; `make pins` adds it\n"+
		"plugin install resource awsx v4.5.6\n", string(out))
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

// A run deploys the environment that it names, else the one of its branch; each environment only from its own branch.
func TestEnvironmentOfARun(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is missing, which GitHub's machines have and the script uses")
	}
	root := projectRoot(t)
	files := t.TempDir()
	for _, name := range []string{"Pulumi.yaml", "Pulumi.shared.yaml", "Pulumi.dev.yaml", "Pulumi.staging.yaml", "Pulumi.production.yaml"} {
		content, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		if name == "Pulumi.staging.yaml" {
			content = bytes.Replace(content, []byte("architecture: x86_64"), []byte("architecture: arm64"), 1)
		}
		require.NoError(t, os.WriteFile(filepath.Join(files, name), content, 0o644))
	}
	list := exec.Command("deployer", "env", "list", "--format", "json", "--dir", files)
	environments, err := list.Output()
	require.NoError(t, err)
	dir := deployerAs(t, `[ "$*" = "env list --format json" ] && cat bin/environments`)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "environments"), environments, 0o644))
	for name, test := range map[string]struct {
		environment, ref string
		code             int
		want             string
	}{
		"a push to develop":            {"", "refs/heads/develop", 0, "stack=dev\nname=development\n"},
		"a push to staging":            {"", "refs/heads/staging", 0, "stack=staging\nname=staging\n"},
		"staging manually":             {"staging", "refs/heads/staging", 0, "stack=staging\n"},
		"the platform of x86_64":       {"", "refs/heads/develop", 0, "platform=linux/amd64\n"},
		"the platform of arm64":        {"", "refs/heads/staging", 0, "platform=linux/arm64\n"},
		"staging from elsewhere":       {"staging", "refs/heads/feature", 3, "::error::staging is deployed from staging, not from feature"},
		"a stack's name":               {"dev", "refs/heads/develop", 0, "name=development\n"},
		"development from main":        {"development", "refs/heads/main", 3, "::error::development is deployed from develop, not from main"},
		"no branch":                    {"development", "", 3, "::error::development is deployed from develop, not from "},
		"a tag with the branch's name": {"production", "refs/tags/main", 3, "::error::production is deployed from main, not from refs/tags/main"},
		"a push of such a tag":         {"", "refs/tags/develop", 3, "::error::no environment is deployed by a push to refs/tags/develop"},
		"a pull request":               {"staging", "refs/pull/7/merge", 3, "not from refs/pull/7/merge"},
		"production from main":         {"production", "refs/heads/main", 0, "url=https://api.hyperchonk.com\napproval=true\n"},
		"production from elsewhere":    {"production", "refs/heads/develop", 3, "::error::production is deployed from main, not from develop"},
		"a push that deploys nothing":  {"", "refs/heads/main", 3, "::error::no environment is deployed by a push to main"},
		"an unknown environment":       {"prodution", "refs/heads/main", 3, "::error::no environment is prodution"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(filepath.Join(root, ".github", "scripts", "plan.sh"))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "ENVIRONMENT="+test.environment, "REF="+test.ref)
			out, _ := cmd.CombinedOutput()
			require.Equal(t, test.code, cmd.ProcessState.ExitCode(), "%s", out)
			require.Contains(t, string(out), test.want)
		})
	}
}

// runScript runs a script of the workflows in a directory of its own, with a gh that answers each request with the next of the answers and
// a deployer that is the test's own. It returns what the script printed.
func runScript(t *testing.T, name string, answers []string, env ...string) (output string, code int) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is missing, which GitHub's machines have and the script uses")
	}
	dir := t.TempDir()
	for i, answer := range answers {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("answer", i)), []byte(answer), 0o644))
	}
	path := fakeGH(t, `
echo "$@" >> asked
answer=answer$(($(wc -l < asked) - 1))
[ -s "$answer" ] || { echo "gh: Not Found (HTTP 404)" >&2; exit 1; }
cat "$answer"
`)
	cmd := exec.Command(filepath.Join(projectRoot(t), ".github", "scripts", name))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(env, path, "INTERVAL=0", "GITHUB_REPOSITORY=o/app", "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary"))...)
	out, _ := cmd.CombinedOutput()
	asked, _ := os.ReadFile(filepath.Join(dir, "asked"))
	return string(asked) + string(out), cmd.ProcessState.ExitCode()
}

// Only a commit for which CI has passed is deployed; a run waits for CI that has not ended.
func TestPassed(t *testing.T) {
	const running = `{"workflow_runs": [{"conclusion": null}]}`
	ended := func(conclusions ...string) string {
		runs := make([]string, len(conclusions))
		for i, conclusion := range conclusions {
			runs[i] = fmt.Sprintf(`{"conclusion": %q}`, conclusion)
		}
		return `{"workflow_runs": [` + strings.Join(runs, ",") + `]}`
	}
	for name, test := range map[string]struct {
		answers []string
		env     string
		code    int
		want    string
	}{
		"passed":                     {[]string{ended("success")}, "", 0, "actions/workflows/ci.yml/runs?event=push&head_sha=c0ffee&"},
		"passes while it waits":      {[]string{running, running, ended("success")}, "", 0, "ci.yml is running for c0ffee"},
		"fails while it waits":       {[]string{running, ended("failure")}, "", 3, "ended with failure for c0ffee"},
		"cancelled":                  {[]string{ended("cancelled")}, "", 3, "ended with cancelled"},
		"passed on another branch":   {[]string{ended("failure", "success")}, "", 0, ""},
		"runs on another branch":     {[]string{`{"workflow_runs": [{"conclusion": "failure"}, {"conclusion": null}]}`, ended("success", "failure")}, "", 0, ""},
		"starts later":               {[]string{ended(), running, ended("success")}, "", 0, ""},
		"never started":              {[]string{ended()}, "START=0", 3, "ci.yml did not run for c0ffee"},
		"does not end":               {[]string{running}, "WAIT=0", 3, "has not ended for c0ffee in time"},
		"the token may not read it":  {nil, "", 3, "the token needs actions: read"},
		"no JSON, as from a gateway": {[]string{"<html>"}, "", 3, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := runScript(t, "passed.sh", test.answers, "REPOSITORY=o/infra", "COMMIT=c0ffee", test.env)
			require.Equal(t, test.code, code, "%s", out)
			require.Contains(t, out, test.want)
			if test.env != "WAIT=0" {
				require.Contains(t, out, "api repos/o/infra/")
			}
		})
	}
}

// GitHub's side of an environment is checked before a job runs in it: a missing environment would be created without protection. Where
// no one approves a run, only maintainers start one, without what reviewers would have to see.
func TestProtected(t *testing.T) {
	const policy, reviewers = `"deployment_branch_policy": {"custom_branch_policies": true}`,
		`"protection_rules": [{"type": "branch_policy"}, {"type": "required_reviewers", "prevent_self_review": true, "reviewers": [{"type": "Team"}]}]`
	const approved = `[{"type": "deletion"}, {"type": "pull_request", "parameters": {"required_approving_review_count": 1,
		"dismiss_stale_reviews_on_push": true}}, {"type": "pull_request", "parameters": {"require_last_push_approval": true}}]`
	reviewed := []string{"{" + policy + "," + reviewers + "}"}
	unreviewed := func(role string) []string {
		return []string{"{" + policy + "}", approved, `{"permission": "write", "role_name": "` + role + `"}`}
	}
	const rules = "api repos/o/app/rules/branches/release%2F1\n"
	for name, test := range map[string]struct {
		approval string
		answers  []string // the environment, the rules of the branch, and the role of who started the run
		env      string
		code     int
		want     string
	}{
		"production":                    {"true", reviewed, "", 0, "api repos/o/app/environments/production\n"},
		"an environment without review": {"false", []string{"{" + policy + "}"}, "", 0, ""},
		"no environment":                {"false", nil, "", 3, "::error::the GitHub environment production of o/app cannot be read"},
		"any branch":                    {"true", []string{"{" + reviewers + "}"}, "", 0, "::warning::the GitHub environment production does not limit"},
		"no reviewers":                  {"true", []string{"{" + policy + `,"protection_rules": [{"type": "wait_timer"}]}`, "[]"}, "", 3, "::error::the GitHub environment production has no required reviewers"},
		"an empty list of reviewers":    {"true", []string{`{"protection_rules": [{"type": "required_reviewers", "reviewers": []}]}`, "[]"}, "", 3, "no required reviewers"},
		"pull requests without review":  {"true", []string{"{" + policy + "}", strings.Replace(approved, "1,", "0,", 1)}, "", 3, "no ruleset demands for release/1 a pull request whose last push is approved"},
		"reviews of an earlier push":    {"true", []string{"{" + policy + "}", strings.Replace(approved, "push\": true", "push\": false", 1)}, "", 3, "no ruleset demands"},
		"a last push without review":    {"true", []string{"{" + policy + "}", strings.Replace(approved, "approval\": true", "approval\": false", 1)}, "", 3, "no ruleset demands"},
		"reviewers of their own runs":   {"true", []string{strings.Replace(reviewed[0], "true, \"reviewers", "false, \"reviewers", 1), "[]"}, "", 3, "has no required reviewers other than who starts the run"},
		"rules that cannot be read":     {"true", []string{"{" + policy + "}"}, "", 3, "no ruleset demands"},

		"a maintainer":              {"true", unreviewed("maintain"), "", 0, rules + "api repos/o/app/collaborators/some%20one/permission\n::warning::no one approves this run"},
		"an administrator":          {"true", unreviewed("admin"), "", 0, "::warning::no one approves this run"},
		"a writer":                  {"true", unreviewed("write"), "", 3, "::error::without required reviewers, only maintainers deploy production: the role of some one is write"},
		"a role of the owner's own": {"true", unreviewed("maintainers"), "", 3, "is maintainers"},
		"no collaborator":           {"true", unreviewed("")[:2], "", 3, "the role of some one is unknown"},
		"a push of a writer":        {"true", unreviewed("write")[:2], "GITHUB_EVENT_NAME=push", 0, rules + "::warning::no one approves this run"},
		"a forced release":          {"true", unreviewed("admin"), "FORCE=true", 3, "::error::force needs an approval, and production has no required reviewers"},
		"an input that is not set":  {"true", unreviewed("admin"), "FORCE=false", 0, "::warning::no one approves this run"},
		"a target":                  {"true", unreviewed("admin"), "TO=1.41.7", 3, "::error::to needs an approval"},
		"a target named false":      {"true", unreviewed("admin"), "TO=false", 3, "::error::to needs an approval"},
		"a command":                 {"true", unreviewed("admin"), "MIGRATION=false", 3, "::error::migration needs an approval"},
		"an unverified image":       {"true", unreviewed("admin"), "UNVERIFIED=urgent", 3, "::error::unverified needs an approval"},
		"an unchecked commit":       {"true", unreviewed("admin"), "UNCHECKED=urgent", 3, "::error::unchecked needs an approval"},

		"a reason for reviewers":  {"true", reviewed, "UNCHECKED=rotes main: Störung, Teil 2", 0, ""},
		"a blank reason":          {"true", reviewed, "UNCHECKED= ", 3, "::error::unchecked is no reason: write one line of text"},
		"a flag as a reason":      {"true", reviewed, "UNVERIFIED=--strict", 3, "::error::unverified is no reason"},
		"a reason of two lines":   {"true", reviewed, "UNVERIFIED=urgent\n::notice::approved", 3, "::error::unverified is no reason"},
		"a reason from the right": {"true", reviewed, "UNVERIFIED=urgent \u202edeifirev", 3, "::error::unverified is no reason"},
		"a long reason":           {"false", reviewed, "UNCHECKED=" + strings.Repeat("a", 201), 3, "::error::unchecked is no reason"},
		"a target for reviewers":  {"true", reviewed, "TO=1.41.7", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := runScript(t, "protected.sh", test.answers, "ENVIRONMENT=production", "BRANCH=release/1", "APPROVAL="+test.approval,
				"GITHUB_EVENT_NAME=workflow_dispatch", "GITHUB_RUN_ATTEMPT=1", "GITHUB_TRIGGERING_ACTOR=some one", test.env)
			require.Equal(t, test.code, code, "%s", out)
			require.Contains(t, out, test.want)
			require.NotRegexp(t, `(?m)^::notice`, out)
		})
	}
	out, code := runScript(t, "protected.sh", unreviewed("write"), "ENVIRONMENT=production", "BRANCH=release/1", "APPROVAL=true",
		"GITHUB_EVENT_NAME=push", "GITHUB_RUN_ATTEMPT=2", "GITHUB_TRIGGERING_ACTOR=someone")
	require.Equal(t, 3, code, "a writer repeats the run of a push: %s", out)
}

// deployerAs puts a deployer that is a shell script into a directory that scripts of the workflows run in.
func deployerAs(t *testing.T, script string) (dir string) {
	dir = t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "deployer"), []byte("#!/bin/bash\nset -e\n"+script), 0o755))
	return dir
}

// A cancelled job prints the outcome, whether its lock was released or another run holds it.
func TestCancelled(t *testing.T) {
	steps := pipelines(t)[".github/actions/cancelled/action.yml"].Runs.Steps
	require.Len(t, steps, 1)
	for name, test := range map[string]struct{ release, want string }{
		"released":            {"echo released", "released\nthe outcome\n"},
		"held by another run": {"echo held; exit 3", "held\n::warning::the lock was not released\nthe outcome\n"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := deployerAs(t, `case "$*" in
"lock release --yes") `+test.release+` ;;
"history --limit 1") echo the outcome ;;
esac`)
			cmd := exec.Command("bash", "-e", "-o", "pipefail", "-c", steps[0].Run)
			cmd.Env = append(os.Environ(), "DIRECTORY="+dir, "GITHUB_STEP_SUMMARY="+filepath.Join(dir, "summary"))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, test.want, string(out))
			require.FileExists(t, filepath.Join(dir, "summary"))
		})
	}
}

// The image is fixed before the approval: a tag becomes TAG@DIGEST, and one that has moved since it was named is refused.
func TestImageOfARun(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is missing, which GitHub's machines have and the script uses")
	}
	digest := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	dir := deployerAs(t, `[ "$*" = "images --env staging --limit 0 --format json" ]
echo '{"images": [{"digest": "`+digest("a")+`", "tags": ["1.0", "staging-latest"]}, {"digest": "`+digest("b")+`", "tags": null}, {"digest": "`+digest("c")+`", "tags": ["1.0.1"]}]}'`)
	for name, test := range map[string]struct {
		tag, approval string
		code          int
		want          string
	}{
		"a tag":                       {"1.0", "true", 0, "image=1.0@" + digest("a") + "\n"},
		"a tag that moves":            {"staging-latest", "false", 0, "image=staging-latest@" + digest("a") + "\n"},
		"a digest":                    {digest("b"), "true", 0, "image=" + digest("b") + "\n"},
		"a tag and its digest":        {"1.0.1@" + digest("c"), "true", 0, "image=1.0.1@" + digest("c") + "\n"},
		"a tag and another digest":    {"1.0.1@" + digest("a"), "true", 3, "::error::the tag 1.0.1 has moved: it is " + digest("c")},
		"an unknown tag":              {"1", "true", 3, "::error::the registry has no image 1:"},
		"a pattern":                   {".*", "false", 3, "::error::the registry has no image .*:"},
		"a run that builds its image": {"", "false", 0, ""},
		"approval of no image":        {"", "true", 3, "::error::staging is approved with its image"},
	} {
		t.Run(name, func(t *testing.T) {
			summary := filepath.Join(t.TempDir(), "summary")
			cmd := exec.Command(filepath.Join(projectRoot(t), ".github", "scripts", "image.sh"))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "ENVIRONMENT=staging", "IMAGE_TAG="+test.tag, "APPROVAL="+test.approval, "GITHUB_STEP_SUMMARY="+summary)
			out, _ := cmd.CombinedOutput()
			require.Equal(t, test.code, cmd.ProcessState.ExitCode(), "%s", out)
			if test.code != 0 {
				require.Contains(t, string(out), test.want)
				return
			}
			require.Equal(t, test.want, string(out))
			if image, found := strings.CutPrefix(strings.TrimSpace(test.want), "image="); found {
				shown, err := os.ReadFile(summary)
				require.NoError(t, err)
				require.Contains(t, string(shown), image)
			}
		})
	}
}

// Operate runs commands that the deployer has, ignores no input, and shows reviewers exactly what runs; a rollback is resolved to a digest.
func TestOperate(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("jq is missing, which GitHub's machines have and the script uses")
	}
	digest := "sha256:" + strings.Repeat("a", 64)
	const deployment, older = "20261123-161530-1f3a", "20261122-161530-1f3a"
	// The deployer resolves every target to one image, by whatever tag; its tag "moved" names another by now.
	dir := deployerAs(t, `case "$1 $*" in
"rollback "*" --dry-run --format json")
  tag=1.41.7; case $2 in --to=moved | --to=untagged) tag=${2#--to=} ;; --to=moved@*) exit 1 ;; --to=unknown) echo unknown >&2; exit 3 ;; esac
  echo '{"image": {"tag": "'$tag'", "digest": "`+digest+`"}, "deployment": "`+deployment+`"}' ;;
*) printf '%s\n' "$@" ;;
esac`)
	long := strings.Repeat("a", 230)
	for name, test := range map[string]struct {
		env  []string
		want string // the command, or with code 3 the error
		code int
	}{
		"rollback":                     {[]string{"COMMAND=rollback"}, "rollback --to=1.41.7@" + digest + " --wait --yes", 0},
		"rollback to an image":         {[]string{"COMMAND=rollback", "TO=1.41.7"}, "rollback --to=1.41.7@" + digest + " --wait --yes", 0},
		"rollback to a revision":       {[]string{"COMMAND=rollback", "TO=api:99"}, "rollback --to=1.41.7@" + digest + " --wait --yes", 0},
		"rollback to a deployment":     {[]string{"COMMAND=rollback", "TO=" + deployment}, "rollback --to=1.41.7@" + digest + " --wait --yes", 0},
		"a deployment with other code": {[]string{"COMMAND=rollback", "TO=" + older}, "::error::" + older + " was not the last deployment to verify its image", 3},
		"a tag that has moved since":   {[]string{"COMMAND=rollback", "TO=moved"}, "rollback --to=" + digest + " --wait --yes", 0},
		"an image that does not exist": {[]string{"COMMAND=rollback", "TO=unknown"}, "unknown", 3},
		"restart":                      {[]string{"COMMAND=restart", "FORCE=false"}, "restart --wait --yes", 0},
		"restart of a service":         {[]string{"COMMAND=restart", "SERVICE=worker"}, "restart --service=worker --wait --yes", 0},
		"a rollback of a service":      {[]string{"COMMAND=rollback", "SERVICE=worker"}, "::error::service does not go with rollback", 3},
		"migrate":                      {[]string{"COMMAND=migrate"}, "migrate --wait --yes", 0},
		"migrate with another command": {[]string{"COMMAND=migrate", "MIGRATION=npx prisma migrate status"}, "migrate '--command=npx prisma migrate status' --wait --yes", 0},
		"a command with quotes":        {[]string{"COMMAND=migrate", "MIGRATION=a' --yes in staging 'b"}, `migrate '--command=a'\'' --yes in staging '\''b' --wait --yes`, 0},
		"sleep":                        {[]string{"COMMAND=sleep"}, "sleep --wait --yes", 0},
		"wake":                         {[]string{"COMMAND=wake", "FORCE=false"}, "wake --wait --yes", 0},
		"a forced sleep":               {[]string{"COMMAND=sleep", "FORCE=true"}, "::error::force does not go with sleep", 3},
		"lock release":                 {[]string{"COMMAND=lock release", "FORCE=false"}, "lock release --yes", 0},
		"lock release of a holder":     {[]string{"COMMAND=lock release", "FORCE=true"}, "lock release --force --yes", 0},
		"an unknown kind of force":     {[]string{"COMMAND=lock release", "FORCE=yes"}, "::error::force is neither true nor false", 3},
		"an input of another command":  {[]string{"COMMAND=restart", "TO=1.41.7-9f8e7d6c5"}, "::error::to does not go with restart", 3},
		"a target named false":         {[]string{"COMMAND=migrate", "TO=false", "MIGRATION=npx prisma db push"}, "::error::to does not go with migrate", 3},
		"a service named false":        {[]string{"COMMAND=migrate", "SERVICE=false"}, "::error::service does not go with migrate", 3},
		"a migration named false":      {[]string{"COMMAND=rollback", "MIGRATION=false"}, "::error::migration does not go with rollback", 3},
		"a forced rollback":            {[]string{"COMMAND=rollback", "FORCE=true"}, "::error::force does not go with rollback", 3},
		"a command that is unknown":    {[]string{"COMMAND=destroy"}, "::error::destroy is none of", 3},
		"no flag in place of a value":  {[]string{"COMMAND=restart", "SERVICE=--no-color"}, "restart --service=--no-color --wait --yes", 0},
		"two lines":                    {[]string{"COMMAND=migrate", "MIGRATION=true\nnpx prisma db push"}, "::error::migration contains a character that is not printable ASCII", 3},
		"a control character":          {[]string{"COMMAND=restart", "SERVICE=api\x1b[2K"}, "::error::service contains a character", 3},
		"text from the right":          {[]string{"COMMAND=rollback", "TO=1.41.7\u202e"}, "::error::to contains a character", 3},
		"a command that hides its end": {[]string{"COMMAND=migrate", "MIGRATION=" + long}, "::error::the command has more than 256 characters", 3},
	} {
		t.Run(name, func(t *testing.T) {
			summary := filepath.Join(t.TempDir(), "summary")
			run := func(arguments ...string) *exec.Cmd {
				cmd := exec.Command(filepath.Join(projectRoot(t), ".github", "scripts", "operate.sh"), arguments...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "DEPLOYER_ENV=staging", "GITHUB_STEP_SUMMARY="+summary)
				return cmd
			}
			plan := run()
			plan.Env = append(plan.Env, test.env...)
			out, _ := plan.CombinedOutput()
			require.Equal(t, test.code, plan.ProcessState.ExitCode(), "%s", out)
			if test.code != 0 {
				require.Contains(t, string(out), test.want)
				require.NotContains(t, string(out), "arguments=")
				return
			}
			list, command, _ := strings.Cut(strings.TrimSuffix(string(out), "\n"), "\n")
			require.Equal(t, "command="+test.want, command)
			shown, err := os.ReadFile(summary)
			require.NoError(t, err)
			require.Contains(t, string(shown), "\n    deployer "+test.want+"\n")

			// What runs is what a shell would make of the command that reviewers see.
			gated := run("run")
			gated.Env = append(gated.Env, "ARGUMENTS="+strings.TrimPrefix(list, "arguments="))
			ran, err := gated.CombinedOutput()
			require.NoError(t, err, "%s", ran)
			read, err := exec.Command("bash", "-c", `printf '%s\n' `+test.want).Output()
			require.NoError(t, err)
			require.Equal(t, string(read), string(ran))
			arguments := strings.Split(strings.TrimSuffix(string(ran), "\n"), "\n")
			help, err := exec.Command("deployer", append(arguments, "--help")...).CombinedOutput()
			require.NoError(t, err, "the deployer has no such command or flag: %s", help)
		})
	}
	for _, damaged := range []string{"", "[]", "null", "no JSON"} {
		cmd := exec.Command(filepath.Join(projectRoot(t), ".github", "scripts", "operate.sh"), "run")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "ARGUMENTS="+damaged)
		out, err := cmd.Output()
		require.Error(t, err, "%q runs nothing", damaged)
		require.Empty(t, out)
	}
	operate := pipelines(t)[".github/workflows/operate.yml"].On.(map[string]any)["workflow_dispatch"].(map[string]any)["inputs"].(map[string]any)
	require.Equal(t, []any{"rollback", "restart", "migrate", "sleep", "wake", "lock release"}, operate["command"].(map[string]any)["options"])
}
