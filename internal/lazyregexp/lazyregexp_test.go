package lazyregexp

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPatterns compiles every pattern of the program, since a start no longer does.
func TestPatterns(t *testing.T) {
	patterns := 0
	require.NoError(t, filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			function, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || function.Sel.Name != "New" || !isName(function.X, "lazyregexp") {
				return true
			}
			if pattern, literal := literalText(call.Args[0]); literal {
				patterns++
				_, err := regexp.Compile(pattern)
				require.NoError(t, err, path)
			}
			return true
		})
		return nil
	}))
	require.Greater(t, patterns, 90)
}

func isName(x ast.Expr, name string) bool {
	identifier, ok := x.(*ast.Ident)
	return ok && identifier.Name == name
}

// literalText returns the text of a literal or of literals that are joined; false if a part is computed.
func literalText(x ast.Expr) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(x.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, leftOK := literalText(x.X)
		right, rightOK := literalText(x.Y)
		return left + right, leftOK && rightOK && x.Op == token.ADD
	}
	return "", false
}

func TestCompiledOnce(t *testing.T) {
	broken := New("(")
	require.Panics(t, func() { broken.MatchString("") })
	word := New(`(\w+)-(\d+)`)
	require.Same(t, word.compiled(), word.compiled())
	require.True(t, word.MatchString("a-1"))
	require.Equal(t, "1a", word.ReplaceAllString("a-1", "$2$1"))
	require.Equal(t, []string{"a-1", "a", "1"}, word.FindStringSubmatch("x a-1"))
}
