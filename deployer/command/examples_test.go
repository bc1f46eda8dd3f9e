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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/deployer/mcp"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/local"
	"github.com/balancer/v3-backend-infra/pricing"
)

// examplePages declares the pages whose examples the scripts run.
var examplePages = []string{"README.md", "docs/why.md"}

var (
	// example is a command after a prompt.
	example = regexp.MustCompile(`(?m)^\$ (?:bin/)?(deployer .*)$`)
	// scripted is a command that a script runs, itself or by a command of its own.
	scripted = regexp.MustCompile(`(?m)^(?:exec|exits [0-9]+|interrupt-at .* [0-9]+) (deployer [^\n]*)$`)
)

// Every example is a command of the deployer, and a script runs it with the same flags, whatever their values.
func TestExamplesAreRunByScripts(t *testing.T) {
	app, run := application("development", streams{}), map[string]bool{}
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	require.NoError(t, err)
	for _, file := range scripts {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range scripted.FindAllStringSubmatch(asServer(string(content)), -1) {
			run[usageOf(app, match[1])] = true
		}
	}
	seen := 0
	for _, page := range examplePages {
		content, err := os.ReadFile(filepath.Join(projectRoot(t), page))
		require.NoError(t, err)
		for _, match := range example.FindAllStringSubmatch(string(content), -1) {
			seen++
			assert.NoError(t, parse(shellWords(match[1])), "%s: %s", page, match[1])
			assert.True(t, run[usageOf(app, match[1])], "%s: no script runs %s", page, match[1])
		}
	}
	require.Greater(t, seen, 7, "the search finds nothing")

	for line, want := range map[string]string{
		"deployer up -e dev --image-tag=T --local --fault drift":          "deployer up --env --fault --image-tag",
		"deployer history --stats -o a.html --env x --state-dir s":        "deployer history --env --output --stats",
		"deployer lock status --env dev":                                  "deployer lock status --env",
		"deployer exec --env dev -- node --version":                       "deployer exec --env",
		"deployer migrate --command 'prisma --version' --env dev --dir d": "deployer migrate --command --env",
	} {
		require.Equal(t, want, usageOf(app, line))
	}
}

// asServer returns a script with the command of the server that its calls start.
func asServer(script string) string {
	return regexp.MustCompile(`(?m)^(?:calls|diagnoses) .*$`).ReplaceAllString(script, "exec deployer mcp --env staging --local")
}

// usageOf returns the command of a line and the names of its flags, sorted, without those that choose account and project.
func usageOf(app *cli.App, line string) string {
	words := shellWords(line)
	path, _ := commandPath(words)
	known := app.Flags
	for commands, parts := app.Commands, strings.Fields(path)[1:]; len(parts) > 0; parts = parts[1:] {
		c := commandNamed(commands, parts[0])
		commands, known = c.Subcommands, append(slices.Clone(app.Flags), c.Flags...)
	}
	var flags []string
	for _, word := range words {
		if word == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		at := slices.IndexFunc(known, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
		if !strings.HasPrefix(word, "-") || at < 0 {
			continue
		}
		if name = known[at].Names()[0]; !slices.Contains([]string{"local", "state-dir", "dir"}, name) {
			flags = append(flags, " --"+name)
		}
	}
	slices.Sort(flags)
	return path + strings.Join(slices.Compact(flags), "")
}

// numerals declares how pages write numbers as words.
var numerals = map[int]string{
	10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen", 14: "fourteen", 15: "fifteen", 16: "sixteen", 17: "seventeen",
	18: "eighteen", 19: "nineteen", 20: "twenty",
}

// The figures that the pages show are those of the code and the shipped files.
func TestFiguresOfThePages(t *testing.T) {
	root := projectRoot(t)
	prose := func(page string) string {
		content, err := os.ReadFile(filepath.Join(root, page))
		require.NoError(t, err)
		return strings.Join(strings.Fields(string(content)), " ")
	}
	estimate := func(name string) float64 {
		env, err := environment.Load(root, name)
		require.NoError(t, err)
		return pricing.EstimateEnvironment(env, pricing.DefaultAssumptions()).USD
	}
	tools, faults := numerals[len(mcp.Tools())], numerals[len(causes)]
	require.NotEmpty(t, tools, len(mcp.Tools()))
	require.NotEmpty(t, faults, len(causes))
	for page, sentences := range map[string][]string{
		"README.md": {tools + " tools that only read"},
		"docs/mcp.md": {"finds the causes of " + faults + " of the simulated account's faults",
			fmt.Sprintf("with at most %s calls", map[int]string{5: "five"}[maxDiagnosis])},
		"docs/why.md": {
			fmt.Sprintf("Development costs $%.0f a month and staging $%.0f,", estimate("dev"), estimate("staging")),
			"an assistant " + tools + " tools that only read", "finds the cause of " + faults + " faults in at most five calls",
			fmt.Sprintf("a `status` of %d components by name", len(checks.Components())),
			fmt.Sprintf("and %d injected [faults]", len(local.Faults())),
		},
	} {
		for _, sentence := range sentences {
			assert.Contains(t, prose(page), sentence, page)
		}
	}

	why, err := os.ReadFile(filepath.Join(root, "docs", "why.md"))
	require.NoError(t, err)
	found := sample.FindSubmatch(why)
	require.NotNil(t, found, "docs/why.md has no sample of cost")
	cmd := exec.Command("deployer", strings.Fields(string(found[1]))...)
	cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+root)
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), string(found[2]), "docs/why.md")
}
