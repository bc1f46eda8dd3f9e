package text_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/text"
)

// Every symbol in the texts of the deployer's packages has a form in ASCII.
func TestASCII(t *testing.T) {
	require.Equal(t, "rollout ok 1.0s a -> b...", text.ASCII("rollout ✓ 1.0s a → b…"))
	require.Equal(t, "Zoë", text.ASCII("Zoë"))
	literals := 0
	for _, root := range []string{"checks", "configuration", "deployer", "environment", "internal", "local", "pricing", "probe"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("../..", root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && (literal.Kind == token.STRING || literal.Kind == token.CHAR) {
					literals++
					for _, r := range text.ASCII(literal.Value) {
						if r >= utf8.RuneSelf {
							t.Errorf("%s: %q in %s has no form in ASCII", path, r, literal.Value)
						}
					}
				}
				return true
			})
			return nil
		}))
	}
	require.Greater(t, literals, 1000)
}
