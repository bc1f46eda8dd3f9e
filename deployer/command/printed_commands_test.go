package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// outputVariable names the directory in which a deployer of the scripts stores what it prints.
const outputVariable = "SCRIPT_OUTPUT"

// recordedMain runs the deployer, and stores its arguments and what it prints where the scripts look for commands.
func recordedMain() int {
	dir := os.Getenv(outputVariable)
	if dir == "" {
		return Main("development", os.Args, os.Exit)
	}
	kept, err := os.CreateTemp(dir, "run-")
	if err == nil {
		_, err = fmt.Fprintln(kept, strings.Join(os.Args, " "))
	}
	if err != nil {
		panic(err)
	}
	return mainOn("development", os.Args, os.Exit, recorder{os.Stdout, kept}, recorder{os.Stderr, kept})
}

// A recorder copies what is written to a stream.
type recorder struct{ stream, kept io.Writer }

func (r recorder) Unwrap() io.Writer { return r.stream }

func (r recorder) Write(p []byte) (int, error) {
	_, _ = r.kept.Write(p)
	return r.stream.Write(p)
}

// suggested matches a command in what the deployer prints: quoted, at the start of a line, or as the value of a key.
var suggested = regexp.MustCompile("(?m)(?:[`(]|^\\s*(?:- )?|\"command\": \"|command: +\"?|next: +)(deployer [a-z][^`\n\"}]*)")

// checkPrinted requires the commands that the deployers in a directory printed to be ones that the deployer reads, with the flags with
// which the deployer that printed them ran.
func checkPrinted(t *testing.T, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "run-*"))
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		arguments, printed, _ := strings.Cut(string(content), "\n")
		if !withoutFlags(arguments) {
			assert.Empty(t, unquoted(printed), "printed by %s", arguments)
		}
		for _, line := range printedBy(arguments, printed) {
			seen[line] = true
			assert.Empty(t, unusable(arguments, line), "printed by %s", arguments)
		}
	}
	if len(files) > 500 { // all scripts ran
		require.Greater(t, len(seen), 60, "the search finds nothing")
	}
}

// withoutFlags reports whether the commands in what the deployer printed have no flags: help and the next steps of a new environment are
// for any account.
func withoutFlags(arguments string) bool {
	return slices.ContainsFunc([]string{" --help", " -h", " completion ", " env new "}, func(other string) bool {
		return strings.Contains(arguments+" ", other)
	})
}

// printedBy returns the commands in what the deployer printed.
func printedBy(arguments, printed string) (lines []string) {
	if withoutFlags(arguments) {
		return nil
	}
	for _, match := range suggested.FindAllStringSubmatch(printed, -1) {
		line, _ := splitCommand(strings.TrimRight(match[1], " \r"))
		if path, known := commandPath(strings.Fields(line)); known && path != "deployer" {
			lines = append(lines, line)
		}
	}
	return lines
}

var (
	// quotedCommand matches a command in backquotes, commandLine one that is a line, the value of a key, or behind a pipe.
	quotedCommand = regexp.MustCompile("`deployer [^`\n]*`")
	commandLine   = regexp.MustCompile(`(?m)(?:^\s*(?:- )?|[|&] |[$<]\(|": "|command: +"?|next: +)deployer [^\n"]*`)
	// bareCommand matches what may be a command, shortCommand what may be one without the deployer's name.
	bareCommand  = regexp.MustCompile(`\bdeployer [a-z]+(?: [a-z]+)?`)
	shortCommand = regexp.MustCompile("`[a-z]+(?: [^`\n]*)?`")
)

// unquoted returns the first command in a text that is not quoted in full, so that it gets no flags; "" where there is none.
func unquoted(text string) string {
	rest := commandLine.ReplaceAllString(quotedCommand.ReplaceAllString(text, ""), "")
	for _, found := range bareCommand.FindAllString(rest, -1) {
		if _, known := commandPath(strings.Fields(found)); known {
			return found
		}
	}
	for _, found := range shortCommand.FindAllString(rest, -1) {
		if _, known := commandPath(strings.Fields("deployer " + strings.Trim(found, "`"))); known {
			return found
		}
	}
	return ""
}

// unusable returns why a command that was printed does not act as the one that printed it; "" where it does.
func unusable(arguments, line string) string {
	words := shellWords(line)
	if err := parse(words); err != nil {
		return line + ": " + err.Error()
	}
	given := strings.Fields(arguments)
	for _, flag := range []string{"--local", "--state-dir", "--dir"} {
		account := flag == "--local"
		needed := slices.Contains(given, flag) && (!account || !slices.Contains(withoutAccount, words[1])) && !slices.Contains(words, "--help")
		if needed && !slices.Contains(words, flag) {
			return line + ": lacks " + flag
		}
	}
	return ""
}

// shellWords returns the words of a command line, without their quotation marks.
func shellWords(line string) (words []string) {
	for _, match := range regexp.MustCompile(`(?:'[^']*'|[^\s'])+`).FindAllString(line, -1) {
		words = append(words, strings.ReplaceAll(match, "'", ""))
	}
	return words
}

// parse reads a command line as the deployer does, and runs nothing.
func parse(words []string) error {
	app := application("development", streams{out: io.Discard, err: io.Discard})
	app.Commands = nil
	for _, v := range verbs() {
		app.Commands = append(app.Commands, idle(v).command(streams{out: io.Discard, err: io.Discard}))
	}
	words, err := permute(app, words)
	if err != nil {
		return err
	}
	return app.RunContext(context.Background(), words)
}

// idle returns a verb that checks its arguments and that it has one of the flags that it needs, and does nothing.
func idle(v verb) verb {
	if v.run != nil {
		v.run = func(_ context.Context, _ *services, c *cli.Context) error {
			given := func(flag string) bool { return c.IsSet(strings.TrimPrefix(strings.Fields(flag)[0], "--")) }
			if len(v.required) > 0 && !slices.ContainsFunc(v.required, given) {
				return fmt.Errorf("%s lacks one of %s", v.name, strings.Join(v.required, ", "))
			}
			return nil
		}
	}
	v.verbs = slices.Clone(v.verbs)
	for i, below := range v.verbs {
		v.verbs[i] = idle(below)
	}
	return v
}

func TestUnusable(t *testing.T) {
	for line, unusableFor := range map[string]string{
		"deployer up --env dev --local --image-tag TAG":  "",
		"deployer up --env dev --image-tag TAG":          "lacks --local",
		"deployer secrets set KEY --env dev --local":     "",
		"deployer secrets set --env dev --local":         "KEY is missing",
		"deployer snapshot restore --env dev --sideways": "unknown flag --sideways",
		"deployer lock seize --env dev --local":          "unknown command",
		"deployer local reset":                           "",
		"deployer up --help":                             "",
		"deployer up --env dev --local":                  "lacks one of --image-tag TAG, --code-only",
		"deployer up --env dev --local --code-only":      "",
		"deployer env new qa":                            "lacks one of --from",
	} {
		require.Contains(t, unusable("deployer status --env dev --local", line), unusableFor, line)
		require.Equal(t, unusableFor == "", unusable("deployer status --env dev --local", line) == "", line)
	}
	require.Equal(t, []string{"deployer up --dir '/a b'", "deployer drift", "deployer health --env dev"},
		printedBy("deployer up", "hint: run `deployer up --dir '/a b'` | jq\ndeployer: failed\n  deployer drift | jq .\n\"command\": \"deployer health --env dev\"\n`deployer: x`"))
}

// The flags that choose account, project and environment are added to printed commands, where they are missing and of use.
func TestFlagsInForce(t *testing.T) {
	local := flagsInForce{env: "dev", account: []string{"--local"}}
	files := flagsInForce{account: []string{"--profile 'my own'"}, files: []string{"--dir ../p", "--state-dir s"}}
	endpoint := flagsInForce{account: []string{"--endpoint-url http://127.0.0.1:5000"}}
	for name, test := range map[string]struct {
		flags      flagsInForce
		text, want string
	}{
		"behind the environment":     {local, "run `deployer up --env qa --image-tag T`, then", "run `deployer up --env qa --local --image-tag T`, then"},
		"with the environment":       {local, "`deployer up` deploys", "`deployer up --env dev --local` deploys"},
		"an alias":                   {local, "`deployer logs -e qa`", "`deployer logs -e qa --local`"},
		"an argument":                {local, "`deployer secrets set KEY --env qa`", "`deployer secrets set KEY --env qa --local`"},
		"given already":              {local, "`deployer drift --local --env qa`", "`deployer drift --local --env qa`"},
		"no environment":             {local, "`deployer bootstrap`", "`deployer bootstrap --local`"},
		"files of environments":      {local, "`deployer env list`", "`deployer env list --local`"},
		"the local account":          {local, "`deployer local reset`", "`deployer local reset`"},
		"its directory":              {files, "`deployer local reset`", "`deployer local reset --dir ../p --state-dir s`"},
		"quoted values":              {files, "`deployer lock release --env qa`", "`deployer lock release --env qa --profile 'my own' --dir ../p --state-dir s`"},
		"an endpoint":                {endpoint, "`deployer images`", "`deployer images --endpoint-url http://127.0.0.1:5000`"},
		"a line":                     {local, "next:\n  deployer health --env qa\n", "next:\n  deployer health --env qa --local\n"},
		"a pipe":                     {local, "deployer outputs --env qa | jq .", "deployer outputs --env qa --local | jq ."},
		"a command in the container": {local, "`deployer exec --env qa -- env --local`", "`deployer exec --env qa --local -- env --local`"},
		"several":                    {local, "`deployer drift` and `deployer images`", "`deployer drift --env dev --local` and `deployer images --env dev --local`"},
		"help":                       {local, "`deployer up --help` lists", "`deployer up --help` lists"},
		"a group":                    {local, "`deployer secrets` has", "`deployer secrets` has"},
		"a sentence":                 {local, "no deployer is changing it", "no deployer is changing it"},
		"a line of a sentence":       {local, "deployer is free", "deployer is free"},
		"an error":                   {local, "deployer: up failed", "deployer: up failed"},
		"no flags":                   {flagsInForce{}, "`deployer up`", "`deployer up`"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, test.want, test.flags.addTo(test.text))
			require.Equal(t, test.want, test.flags.addTo(test.want), "they are added once")
		})
	}
	require.Equal(t, "`deployer up`", (*flagsInForce)(nil).addTo("`deployer up`"))
}

// A directory counts where it is on the command line.
func TestReadFlagsInForce(t *testing.T) {
	t.Setenv("DEPLOYER_DIR", "elsewhere")
	t.Setenv("DEPLOYER_LOCAL", "true")
	for line, want := range map[string]flagsInForce{
		"deployer up":                                         {account: []string{"--local"}},
		"deployer up --env dev --state-dir s":                 {env: "dev", account: []string{"--local"}, files: []string{"--state-dir s"}},
		"deployer up --dir p":                                 {account: []string{"--local"}, files: []string{"--dir p"}},
		"deployer up --env all":                               {account: []string{"--local"}},
		"deployer up --env dev,staging":                       {account: []string{"--local"}},
		"deployer up --env shared":                            {account: []string{"--local"}},
		"deployer up --profile me --endpoint-url http://host": {account: []string{"--local", "--endpoint-url http://host", "--profile me"}},
	} {
		t.Run(line, func(t *testing.T) {
			app := &cli.App{Flags: flagsOfAll(nil), Action: func(c *cli.Context) error {
				require.Equal(t, want, readFlagsInForce(c))
				return nil
			}}
			words := strings.Fields(line)
			require.NoError(t, app.Run(slices.Concat(words[:1], words[2:])))
		})
	}
}
