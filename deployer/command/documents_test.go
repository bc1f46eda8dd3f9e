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

	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/pricing"
)

var (
	// typed is a command in a block: at the start of a line, after a prompt or a pipe, in quotes, or what the image runs.
	typed = regexp.MustCompile("(?:^|[`'(]|[$|&] |v3-backend-)(?:bin/)?deployer(?::[a-z]+)? ([a-z][^`|&>#]*)")
	// quoted is a command in a sentence, which may be wrapped.
	quoted = regexp.MustCompile("`(?:bin/)?deployer ([a-z][^`|&>]*)")
	// linked is the target of a link.
	linked = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// fence begins or ends a block, and heading is a title.
	fence   = regexp.MustCompile("^\\s*```\\s*([a-z]*)")
	heading = regexp.MustCompile("^#+ (.*)")
	// unnamed matches the characters of a title that its anchor omits.
	unnamed = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	// word is a quoted word of a shell.
	word = regexp.MustCompile(`'[^']*'|"[^"]*"`)
	// row is a command in the README's table, without the program's name.
	row = regexp.MustCompile("`([^`]+)`")
)

// document is a page: its prose, the lines of its blocks, the names by which its sections are linked.
type document struct {
	place   string
	prose   string
	blocks  []string
	anchors []string
}

// Every command that the pages show exists, with its flags, and every page and section that they link.
func TestDocumentedCommandsExist(t *testing.T) {
	app, pages := application("development", streams{}), documents(t, projectRoot(t))
	seen := 0
	for _, page := range pages {
		for _, line := range page.commands() {
			seen++
			assert.Empty(t, misnamed(app, line), "%s: deployer %s", page.place, line)
		}
		for _, link := range page.links() {
			assert.Empty(t, broken(pages, page, link), "%s", page.place)
		}
	}
	require.Greater(t, seen, 150, "the search finds nothing")
}

// located matches a path of the project in CONTRIBUTING.md, without placeholders.
var located = regexp.MustCompile("`(\\.?[a-z][a-zA-Z0-9_.-]*/[a-z0-9_./*-]*)`")

// The files that CONTRIBUTING.md names exist.
func TestContributingNamesFilesThatExist(t *testing.T) {
	root := projectRoot(t)
	content, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	require.NoError(t, err)
	found := located.FindAllStringSubmatch(string(content), -1)
	require.Greater(t, len(found), 40, "the search finds nothing")
	for _, match := range found {
		files, err := filepath.Glob(filepath.Join(root, match[1]))
		require.NoError(t, err)
		assert.NotEmpty(t, files, match[1])
	}
}

// The search for commands finds commands in prose and blocks, and no others.
func TestCommandsOfADocument(t *testing.T) {
	page := paged("page.md", strings.Join([]string{
		"# A page", "Run `deployer status", "--env dev`, or", "deployer nowhere of prose.", "```",
		"$ bin/deployer up --env dev \\", "  --sideways", "deployer url --env dev | jq . # all", "deployer: url: an error",
		"hint: `deployer lock status --env dev` shows the holder", "docker run x/v3-backend-deployer:latest health", "```",
		"```mermaid", "deployer --> release", "```", "[to](#a-page) and [fro](page.md#nowhere)",
	}, "\n"))
	assert.Equal(t, []string{
		"status --env dev", "up --env dev   --sideways", "url --env dev", "lock status --env dev", "health",
	}, page.commands())
	assert.Equal(t, "there is no flag --sideways", misnamed(application("development", streams{}), page.commands()[1]))
	assert.Equal(t, []string{"#a-page", "page.md#nowhere"}, page.links())
	assert.Empty(t, broken([]document{page}, page, "#a-page"))
	assert.NotEmpty(t, broken([]document{page}, page, "page.md#nowhere"))
	assert.NotEmpty(t, broken([]document{page}, page, "nowhere.md"))
}

// sample matches a command and its output in a block of a page.
var sample = regexp.MustCompile("(?s)```\n\\$ deployer (cost [^\n]*)\n(.*?)```")

// The sample of the cost page is what the command prints about the shipped files, and its prose has the sums of it. The expected text can be
// pasted there.
func TestSampleOfTheCostPage(t *testing.T) {
	root := projectRoot(t)
	page, err := os.ReadFile(filepath.Join(root, "docs", "cost.md"))
	require.NoError(t, err)
	found := sample.FindSubmatch(page)
	require.NotNil(t, found, "the page has no sample")
	cmd := exec.Command("deployer", strings.Fields(string(found[1]))...)
	cmd.Env = append(os.Environ(), "DEPLOYER_DIR="+root)
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, string(out), string(found[2]))
	prose := strings.Join(strings.Fields(string(page)), " ")
	for name, sentence := range map[string]string{
		"dev": "bring dev to about $%.0f of its $%d:", "staging": "Staging reaches about $%.0f of its $%d with",
	} {
		env, err := environment.Load(root, name)
		require.NoError(t, err)
		total := pricing.EstimateEnvironment(env, pricing.DefaultAssumptions()).USD
		require.Contains(t, prose, fmt.Sprintf(sentence, total, env.Budget.MonthlyUSD))
	}
}

// The README's table has every command, and no other.
func TestReadmeListsEveryCommand(t *testing.T) {
	app := application("development", streams{})
	content, err := os.ReadFile(filepath.Join(projectRoot(t), "README.md"))
	require.NoError(t, err)
	_, after, _ := strings.Cut(string(content), "\n## Commands\n")
	table, _, _ := strings.Cut(after, "\n\n`deployer COMMAND --help`")
	var listed []string
	for line := range strings.Lines(table) {
		if cells := strings.SplitN(line, "|", 3); len(cells) == 3 {
			for _, match := range row.FindAllStringSubmatch(cells[1], -1) {
				listed = append(listed, match[1])
			}
		}
	}
	words := strings.Join(listed, "\n") + "\n"
	require.Greater(t, len(listed), 20, "the search finds nothing")
	for _, command := range leaves(app.Commands, "") {
		name := command[strings.LastIndex(command, " ")+1:]
		assert.Regexp(t, `(?m)(^|\s)`+name+`\b`, words, "README.md lists %q among the commands", command)
	}
	for _, line := range listed {
		first := strings.Fields(line)[0]
		known := slices.ContainsFunc(leaves(app.Commands, ""), func(c string) bool { return slices.Contains(strings.Fields(c), first) })
		assert.True(t, known, "README.md lists %q, which is no command", line)
	}
}

// leaves returns the commands that do something, with the words before them.
func leaves(commands []*cli.Command, before string) []string {
	var all []string
	for _, c := range commands {
		switch {
		case c.Hidden || c.Name == "help":
		case len(c.Subcommands) > 0:
			all = append(all, leaves(c.Subcommands, before+c.Name+" ")...)
		default:
			all = append(all, before+c.Name)
		}
	}
	return all
}

// documents returns the pages that users read, without past decisions.
func documents(t *testing.T, root string) []document {
	var pages []document
	for _, pattern := range []string{"README.md", "CONTRIBUTING.md", "docs/*.md", "docs/adr/README.md", "examples/*/README.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			pages = append(pages, paged(file, string(content)))
		}
	}
	return pages
}

// paged parses a page.
func paged(place, content string) document {
	page, prose, inside, skipped := document{place: place}, strings.Builder{}, false, false
	for line := range strings.Lines(strings.ReplaceAll(content, "\\\n", "")) {
		line = strings.TrimRight(line, "\n")
		if match := fence.FindStringSubmatch(line); match != nil {
			inside, skipped = !inside, match[1] == "mermaid"
			continue
		}
		if match := heading.FindStringSubmatch(line); match != nil && !inside {
			page.anchors = append(page.anchors, anchor(match[1]))
		}
		switch {
		case !inside:
			prose.WriteString(line + "\n")
		case !skipped:
			page.blocks = append(page.blocks, strings.TrimSpace(line))
		}
	}
	page.prose = prose.String()
	return page
}

// commands returns the command lines of a page, without the program's name.
func (d document) commands() []string {
	var all []string
	for _, match := range quoted.FindAllStringSubmatch(d.prose, -1) {
		all = append(all, strings.ReplaceAll(match[1], "\n", " "))
	}
	for _, line := range d.blocks {
		for _, match := range typed.FindAllStringSubmatch(line, -1) {
			all = append(all, match[1])
		}
	}
	for i, line := range all {
		all[i] = strings.TrimSpace(word.ReplaceAllString(line, "WORD"))
	}
	return all
}

// links returns the targets in the project that a page links to.
func (d document) links() []string {
	var all []string
	for _, match := range linked.FindAllStringSubmatch(d.prose, -1) {
		if !strings.Contains(match[1], "://") {
			all = append(all, match[1])
		}
	}
	return all
}

// broken returns what a link lacks; "" where its target exists.
func broken(pages []document, from document, link string) string {
	file, section, _ := strings.Cut(link, "#")
	to := from.place
	if file != "" {
		to = filepath.Join(filepath.Dir(from.place), file)
	}
	at := slices.IndexFunc(pages, func(d document) bool { return d.place == to })
	if _, err := os.Stat(to); at < 0 && err != nil {
		return "there is no " + link
	}
	if section != "" && at >= 0 && !slices.Contains(pages[at].anchors, section) {
		return "there is no section " + link
	}
	return ""
}

// anchor returns the name that GitHub gives a section.
func anchor(title string) string {
	return strings.ReplaceAll(unnamed.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
}
