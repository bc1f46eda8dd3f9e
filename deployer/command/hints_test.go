package command

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// suggestion is a command of the deployer in a text: quoted, at the start of a line, or as a whole string.
var suggestion = regexp.MustCompile("(?m)(?:^\\s*|[`'(])deployer ([a-z][^`'\\n]*)")

// flagName is a flag, long or short.
var flagName = regexp.MustCompile(`(?:^|\s)--?([a-z][a-z-]*)`)

// Every command that a text of this module suggests is in the table of commands, with its flags.
func TestSuggestedCommandsExist(t *testing.T) {
	app := application("development", streams{})
	seen := 0
	for _, text := range literals(t, projectRoot(t)) {
		for _, match := range suggestion.FindAllStringSubmatch(text.value, -1) {
			seen++
			if match[1] == "local authority" {
				continue // the name of a certificate's issuer
			}
			assert.Empty(t, misnamed(app, match[1]), "%s: deployer %s", text.place, match[1])
		}
	}
	require.Greater(t, seen, 40, "the search finds nothing")

	require.NotEmpty(t, misnamed(app, "log --env dev"))
	require.NotEmpty(t, misnamed(app, "secrets sing"))
	require.NotEmpty(t, misnamed(app, "up --sideways"))
	require.Empty(t, misnamed(app, "secrets init --env dev --from-file x"))
}

// Every command in a text that the deployer prints is written in full, in backquotes: only such a command gets the flags of the run. A
// line that is a command, as in an example, needs none.
func TestSuggestedCommandsAreQuoted(t *testing.T) {
	for _, text := range literals(t, projectRoot(t)) {
		if strings.Contains(text.place, "/bench/") || strings.Contains(text.place, "/chaos/") || strings.HasSuffix(text.value, "deployer local authority") {
			continue // programs of the developers, and the name of a certificate's issuer
		}
		assert.Empty(t, unquoted(text.value), text.place)
	}

	for value, want := range map[string]string{
		"delete it: deployer local reset":                       "deployer local reset",
		"choose an image with `rollback --to`":                  "`rollback --to`",
		"run `up` first":                                        "`up`",
		"a.env | deployer secrets init --env dev":               "",
		"git show a && deployer cost":                           "",
		"next:\n  deployer up --env dev":                        "",
		"run `deployer up` or `deployer rollback --to TAG`":     "",
		"no deployer is changing it":                            "",
		"'deployer up' and `status`: the deployer lock expired": "deployer up",
		"of `NAME`, `--only`":                                   "",
	} {
		require.Equal(t, want, unquoted(value), value)
	}
}

// misnamed returns what of a command line does not exist; "" where all of it does.
func misnamed(app *cli.App, line string) string {
	line, _, _ = strings.Cut(line, " | ")
	line, _, _ = strings.Cut(line, " -- ") // what follows is another program's
	commands, flags := app.Commands, app.Flags
	for _, word := range strings.Fields(line) {
		if strings.HasPrefix(word, "-") || len(commands) == 0 {
			break
		}
		next := commandNamed(commands, strings.TrimRight(word, ".,;:)…"))
		if next == nil {
			return "there is no command " + word
		}
		commands, flags = next.Subcommands, next.Flags
	}
	for _, match := range flagName.FindAllStringSubmatch(line, -1) {
		if match[1] != "help" && !slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), match[1]) }) {
			return "there is no flag " + strings.TrimSpace(match[0])
		}
	}
	return ""
}

// ofHint returns the deployer's command that a verb in a hint stands for; false for another tool's.
func ofHint(verb ast.Expr) (string, bool) {
	value, is := constant(verb)
	switch {
	case !is || strings.HasPrefix(value, "aws "):
		return "", false
	case strings.HasPrefix(value, "deployer "):
		return value, true
	}
	if value == "restart" {
		value = "up --code-only --restart"
	}
	return "deployer " + value + " --env E", true
}

// literal is a string in the source, and its position.
type literal struct{ place, value string }

// literals returns the strings of the module's programs, without tests. Concatenated strings count as one.
func literals(t *testing.T, root string) []literal {
	var all []literal
	files := token.NewFileSet()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "tools" || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if pair, ok := n.(*ast.KeyValueExpr); ok {
				key, named := pair.Key.(*ast.Ident)
				_, verb := pair.Value.(*ast.BasicLit)
				if named && verb && key.Name == "Command" && strings.Contains(path, "/checks/") {
					if value, is := ofHint(pair.Value); is {
						all = append(all, literal{files.Position(pair.Pos()).String(), value})
					}
					return false
				}
			}
			if e, ok := n.(ast.Expr); ok {
				if value, is := constant(e); is {
					all = append(all, literal{files.Position(e.Pos()).String(), value})
					return false
				}
			}
			return true
		})
		return nil
	}))
	return all
}

// constant returns a string, or concatenated strings, with … for what is not constant.
func constant(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		value, err := strconv.Unquote(e.Value)
		return value, e.Kind == token.STRING && err == nil
	case *ast.CallExpr: // checks' own command(env, verb)
		if name, ok := e.Fun.(*ast.Ident); ok && name.Name == "command" && len(e.Args) == 2 {
			return ofHint(e.Args[1])
		}
	case *ast.BinaryExpr:
		left, isLeft := constant(e.X)
		right, isRight := constant(e.Y)
		if !isLeft {
			left = "…"
		}
		if !isRight {
			right = "…"
		}
		return left + right, e.Op == token.ADD && (isLeft || isRight)
	}
	return "", false
}
