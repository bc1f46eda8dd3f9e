// Package wording checks that comments, messages, pages and names use the field's standard terms.
package wording

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

var below = flag.String("below", "", "check only files below this directory")

// A finding is a phrase to replace.
type finding struct {
	file string
	line int
	text string
}

// TestWording checks every tracked file of the project.
func TestWording(t *testing.T) {
	root := projectRoot(t)
	counts := map[string]int{}
	for _, file := range projectFiles(t, root) {
		content, err := os.ReadFile(filepath.Join(root, file))
		if os.IsNotExist(err) {
			continue // deleted, not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range check(file, string(content)) {
			counts[path.Dir(file)]++
			t.Errorf("%s:%d: %s", f.file, f.line, f.text)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%5d %s", counts[dir], dir)
	}
}

// TestRulesFindTheirExamples checks each rule in each place where it applies: a page, a Go comment and a Go string.
func TestRulesFindTheirExamples(t *testing.T) {
	for _, r := range phraseBook {
		if len(r.examples) == 0 || len(r.proper) == 0 {
			t.Errorf("%s has no examples", r.pattern)
		}
		for _, example := range r.examples {
			comment := "// " + strings.ReplaceAll(example, "\n", "\n// ")
			for file, content := range map[string]string{
				"page.md": "A title\n\n" + example, "script.txtar": "# " + strings.ReplaceAll(example, "\n", " "),
				"comment.go": "package p\n\n" + comment + "\nvar x = 1\n", "text.go": "package p\n\nvar x = " + strconv.Quote(example),
			} {
				found := check(file, content)
				if len(found) == 0 || !strings.Contains(found[0].text, r.write) {
					t.Errorf("%s in %s: %v, want %q", example, file, found, r.write)
				}
				if file != "script.txtar" && len(found) > 0 && found[0].line != 3 {
					t.Errorf("%s in %s: found in line %d, want 3", example, file, found[0].line)
				}
			}
		}
		for _, text := range r.proper {
			if found := r.find(text); len(found) > 0 {
				t.Errorf("%s finds %q in the proper text %q", r.pattern, found, text)
			}
		}
	}
}

// TestDocCommentsOfFunctions checks which beginnings of a doc comment are accepted.
func TestDocCommentsOfFunctions(t *testing.T) {
	for comment, accepted := range map[string]bool{
		"// read returns the file.": true, "// read never returns.": true, "// read atomically replaces it.": true, "": true, "//go:noinline": true,
		"// read is the file.": false, "// read are the files.": false, "// returns the file.": false, "// Reading is fun.": false,
		"// read a file.": false, "// read was the file.": false, "// read": false,
	} {
		for _, name := range []string{"p.go", "p_test.go"} {
			if found := check(name, "package p\n\n"+comment+"\nfunc read() {}\n"); (len(found) == 0) != accepted {
				t.Errorf("%q: %v, want it accepted: %v", comment, found, accepted)
			}
		}
	}
}

// TestIdentifiers checks that the words are found in declared names, and that names from elsewhere are not reported.
func TestIdentifiers(t *testing.T) {
	for code, wanted := range map[string]int{
		"func tellAll() {}": 1, "type Teller int": 1, "type t struct{ saidOnce bool }": 1, "func f(told int) {}": 1,
		"func f() { voice := 1; _ = voice }": 1, "func f() { for said := range 3 { _ = said } }": 1, "const nobodyKnows = 1": 1,
		"var x = other.Tell()": 0, "func essay(retold, storyteller, sayings int) {}": 0,
	} {
		if found := check("p.go", "package p\n\n"+code+"\n"); len(found) != wanted {
			t.Errorf("%s: %v, want %d", code, found, wanted)
		}
	}
}

func projectRoot(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for !exists(filepath.Join(dir, "go.mod")) {
		if dir == filepath.Dir(dir) {
			t.Fatal("there is no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// projectFiles returns the files that are checked, those not yet committed included.
func projectFiles(t *testing.T, root string) []string {
	cmd := exec.Command("git", "ls-files", "-co", "--exclude-standard", "-z", "--", filepath.Join(".", *below))
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("only the files of a git repository are checked: %v", err)
	}
	files := slices.DeleteFunc(strings.Split(string(out), "\x00"), func(file string) bool { return kindOf(file) == unchecked })
	if len(files) == 0 {
		t.Fatal("there is no file to check")
	}
	return files
}

type kind int

const (
	unchecked kind = iota
	goCode
	page
	commented
)

func kindOf(file string) kind {
	switch name := path.Base(file); {
	case strings.HasSuffix(name, ".go"):
		return goCode
	case strings.Contains(file, "testdata/") && !strings.HasSuffix(name, ".txtar"):
		return unchecked // inputs and golden output: the output's texts are checked where the code has them
	case strings.HasSuffix(name, ".md"), strings.HasSuffix(name, ".txtar"), strings.HasSuffix(name, ".yml"), strings.HasSuffix(name, ".yaml"):
		return page
	case strings.HasSuffix(name, ".sh"), name == "Makefile", name == "Dockerfile", name == "run":
		return page
	}
	return unchecked
}

// check returns what the rules find in a file.
func check(file, content string) []finding {
	if kindOf(file) != goCode {
		return checkText(file, content, 1)
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return []finding{{file, 1, err.Error()}}
	}
	line := func(n ast.Node) int { return set.Position(n.Pos()).Line }
	var found []finding
	for _, group := range parsed.Comments {
		text, at := commentText(group), line(group)
		found = append(found, checkText(file, text, at)...)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				found = append(found, checkText(file, literalText(n.Value), line(n))...)
			}
		case *ast.FuncDecl:
			if fault := docFault(n); fault != "" && !excepted(file, fault) {
				found = append(found, finding{file, line(n), fault})
			}
		}
		for _, name := range declared(n) {
			if word := spokenWord(name.Name); word != "" && !excepted(file, name.Name) {
				found = append(found, finding{file, line(name), fmt.Sprintf("the name %s contains %q: use the term for what it is (report, log, message, progress)", name.Name, word)})
			}
		}
		return true
	})
	return found
}

// commentText returns a comment group's text, a line for each line of the file.
func commentText(group *ast.CommentGroup) string {
	var lines []string
	for _, c := range group.List {
		text := strings.TrimSuffix(strings.TrimPrefix(c.Text, "/*"), "*/")
		lines = append(lines, strings.TrimPrefix(text, "//"))
	}
	return strings.Join(lines, "\n")
}

// literalText returns what a string literal stands for; one that has several lines in the file keeps them.
func literalText(literal string) string {
	if strings.HasPrefix(literal, "`") {
		return strings.Trim(literal, "`")
	}
	text, err := strconv.Unquote(literal)
	if err != nil {
		return literal
	}
	return text
}

var testFunction = regexp.MustCompile(`^(Test|Benchmark|Fuzz)[A-Z]`)

// docFault returns what is wrong with the beginning of a function's doc comment, if anything.
func docFault(f *ast.FuncDecl) string {
	text := f.Doc.Text() // without directives
	if text == "" {
		return ""
	}
	words := strings.Fields(text)
	if words[0] != f.Name.Name {
		if testFunction.MatchString(f.Name.Name) {
			return "" // go doc does not show it, and the name is a sentence already
		}
		return fmt.Sprintf("the doc comment of %s starts with %q: start with the name and a verb (%s returns …)", f.Name.Name, words[0], f.Name.Name)
	}
	rest := words[1:]
	for len(rest) > 1 && (slices.Contains([]string{"also", "never", "only", "then", "first", "always"}, rest[0]) || strings.HasSuffix(rest[0], "ly")) {
		rest = rest[1:]
	}
	verb := ""
	if len(rest) > 0 {
		verb = strings.Trim(rest[0], ",.:;")
	}
	if !strings.HasSuffix(verb, "s") || slices.Contains(notVerbs, verb) {
		return fmt.Sprintf("the doc comment of %s continues with %q: continue with a verb (returns, creates, reports whether …)", f.Name.Name, verb)
	}
	return ""
}

// declared returns the names that a node declares.
func declared(n ast.Node) []*ast.Ident {
	switch n := n.(type) {
	case *ast.FuncDecl:
		return []*ast.Ident{n.Name}
	case *ast.TypeSpec:
		return []*ast.Ident{n.Name}
	case *ast.ValueSpec:
		return n.Names
	case *ast.Field:
		return n.Names
	case *ast.AssignStmt:
		if n.Tok == token.DEFINE {
			return identifiers(n.Lhs)
		}
	case *ast.RangeStmt:
		if n.Tok == token.DEFINE {
			return identifiers([]ast.Expr{n.Key, n.Value})
		}
	}
	return nil
}

func identifiers(all []ast.Expr) []*ast.Ident {
	var found []*ast.Ident
	for _, e := range all {
		if name, ok := e.(*ast.Ident); ok {
			found = append(found, name)
		}
	}
	return found
}

// spokenWord returns the first of spokenWords that a name is composed of.
func spokenWord(name string) string {
	for _, word := range camelWords(name) {
		if slices.Contains(spokenWords, word) {
			return word
		}
	}
	return ""
}

// camelWords splits a name in camel case into lower-case words.
func camelWords(name string) []string {
	var words []string
	start := 0
	runes := []rune(name)
	for i := 1; i <= len(runes); i++ {
		if i == len(runes) || unicode.IsUpper(runes[i]) && !unicode.IsUpper(runes[i-1]) || runes[i] == '_' {
			words = append(words, strings.ToLower(strings.Trim(string(runes[start:i]), "_")))
			start = i
		}
	}
	return words
}

type compiled struct {
	rule
	expr, unless *regexp.Regexp
}

var rules = func() (all []compiled) {
	for _, r := range phraseBook {
		c := compiled{rule: r, expr: r.compile()}
		if r.unless != "" {
			c.unless = rule{pattern: r.unless}.compile()
		}
		all = append(all, c)
	}
	return all
}()

// find returns where the rule's phrase is, as pairs of offsets.
func (c compiled) find(text string) [][]int {
	return slices.DeleteFunc(c.expr.FindAllStringIndex(text, -1), func(at []int) bool {
		return c.unless != nil && c.unless.MatchString(text[at[1]:])
	})
}

func (r rule) find(text string) (phrases []string) {
	for _, c := range rules {
		if c.pattern == r.pattern {
			for _, at := range c.find(strings.ToLower(text)) {
				phrases = append(phrases, text[at[0]:at[1]])
			}
		}
	}
	return phrases
}

// checkText returns what the rules find in a text that begins at a line of a file.
func checkText(file, text string, line int) []finding {
	var found []finding
	text = strings.ToLower(text)
	for _, c := range rules {
		for _, at := range c.find(text) {
			if excepted(file, text[lineStart(text, at[0]):]) {
				continue
			}
			phrase := strings.Join(strings.Fields(text[at[0]:at[1]]), " ")
			found = append(found, finding{file, line + strings.Count(text[:at[0]], "\n"), fmt.Sprintf("%q: write %s", phrase, c.write)})
		}
	}
	return found
}

func lineStart(text string, at int) int { return strings.LastIndexByte(text[:at], '\n') + 1 }

// excepted reports whether a text of a file is one of the exceptions; it is compared in lower case.
func excepted(file, text string) bool {
	first, _, _ := strings.Cut(strings.ToLower(text), "\n")
	for _, e := range exceptions {
		if strings.HasPrefix(file, e.file) && strings.Contains(first, strings.ToLower(e.text)) {
			return true
		}
	}
	return false
}
