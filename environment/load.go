package environment

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Key and SharedKey are the Pulumi configuration keys of an environment and of the shared stack.
const (
	Key       = "v3-backend:environment"
	SharedKey = "v3-backend:shared"
)

// aliases are the other names that people use for the stacks.
var aliases = map[string]string{"development": "dev", "prod": "production"}

// NotFoundError says that no file describes the environment that was asked for.
type NotFoundError struct {
	Name  string
	Known []string
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("there is no environment %q: Pulumi.%s.yaml does not exist", e.Name, e.Name)
}

// Hint says which environments there are.
func (e *NotFoundError) Hint() string {
	if len(e.Known) == 0 {
		return "no Pulumi.<name>.yaml is here; run from the project's root or name it with --dir"
	}
	return "the environments are " + strings.Join(e.Known, ", ")
}

// FileName is the file that describes a stack.
func FileName(stack string) string { return "Pulumi." + stack + ".yaml" }

// List returns the stacks of the environments in dir, the shared one left out, sorted.
func List(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, FileName("*")))
	if err != nil {
		return nil, fmt.Errorf("list the environments in %s: %w", dir, err)
	}
	var stacks []string
	for _, path := range paths {
		stack := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "Pulumi."), ".yaml")
		if stack != SharedStack {
			stacks = append(stacks, stack)
		}
	}
	return slices.Sorted(slices.Values(stacks)), nil
}

// StackOf returns the stack that a name given by a person means.
func StackOf(name string) string {
	if stack, ok := aliases[name]; ok {
		return stack
	}
	return name
}

// Load reads, decodes and validates the environment that name means. Its errors are *NotFoundError, *InvalidError,
// or those of reading the file.
func Load(dir, name string) (*Environment, error) {
	stack := StackOf(name)
	file, source, err := read(dir, stack, name)
	if err != nil {
		return nil, err
	}
	return decode(stack, file, source, "$.config.'"+Key+"'")
}

// Decode reads an environment from the value of Key alone, as Pulumi hands it to a program (JSON is YAML).
func Decode(stack string, value []byte) (*Environment, error) {
	return decode(stack, "the configuration "+Key, value, "$")
}

// LoadShared reads, decodes and validates the description of what the account's environments share.
func LoadShared(dir string) (*Shared, error) {
	file, source, err := read(dir, SharedStack, SharedStack)
	if err != nil {
		return nil, err
	}
	return decodeShared(file, source, "$.config.'"+SharedKey+"'")
}

// DecodeShared is Decode for the shared stack.
func DecodeShared(value []byte) (*Shared, error) {
	return decodeShared("the configuration "+SharedKey, value, "$")
}

func read(dir, stack, name string) (file string, source []byte, err error) {
	file = FileName(stack)
	if !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(stack) {
		known, _ := List(dir)
		return "", nil, &NotFoundError{Name: name, Known: known}
	}
	source, err = os.ReadFile(filepath.Join(dir, file))
	if errors.Is(err, fs.ErrNotExist) {
		known, listErr := List(dir)
		return "", nil, errors.Join(&NotFoundError{Name: name, Known: known}, listErr)
	}
	if err != nil {
		return "", nil, fmt.Errorf("read the environment %s: %w", name, err)
	}
	return file, source, nil
}

func decode(stack, file string, source []byte, root string) (*Environment, error) {
	e := defaults(stack)
	// The optional services have defaults only where they are named.
	doc, err := parse(file, source, root, &e)
	if err != nil {
		return nil, err
	}
	e.complete()
	if problems := e.problems(); len(problems) > 0 {
		return nil, doc.invalid(problems)
	}
	return &e, nil
}

func decodeShared(file string, source []byte, root string) (*Shared, error) {
	s := sharedDefaults()
	doc, err := parse(file, source, root, &s)
	if err != nil {
		return nil, err
	}
	if problems := s.problems(); len(problems) > 0 {
		return nil, doc.invalid(problems)
	}
	return &s, nil
}

// document is a decoded file that still knows where its values stood.
type document struct {
	file string
	tree *ast.File
	root string
}

// parse decodes the mapping at root strictly over the value that into points to.
func parse(file string, source []byte, root string, into any) (*document, error) {
	tree, err := parser.ParseBytes(source, 0)
	if err != nil {
		return nil, syntaxError(file, err)
	}
	path, err := yaml.PathString(root)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", root, err)
	}
	node, err := path.FilterFile(tree)
	if err != nil || node == nil {
		key := strings.Trim(strings.TrimPrefix(root, "$.config."), "'")
		return nil, &InvalidError{File: file, Problems: []Problem{{
			Line: 1, Path: "config", Message: fmt.Sprintf("it has no %q", key),
			Remedy: "copy the block from another environment's file",
		}}}
	}
	if err := yaml.NodeToValue(node, into, yaml.Strict()); err != nil {
		return nil, syntaxError(file, err)
	}
	return &document{file: file, tree: tree, root: root}, nil
}

// syntaxError turns an error of the YAML library, which knows the place, into one of ours.
func syntaxError(file string, err error) error {
	problem := Problem{Line: 1, Message: err.Error()}
	var located yaml.Error
	if errors.As(err, &located) {
		problem.Message = located.GetMessage()
		if token := located.GetToken(); token != nil && token.Position != nil {
			problem.Line = token.Position.Line
			problem.Excerpt = strings.TrimRight(yaml.FormatError(err, false, true), "\n")
		}
	}
	switch {
	case strings.Contains(problem.Message, "unknown field"):
		problem.Remedy = "remove the key or correct its spelling; docs/environment.md has them all"
	case strings.Contains(problem.Message, "cannot unmarshal"):
		problem.Remedy = "give a value of the type that docs/environment.md names"
	default:
		problem.Remedy = "the file must be YAML: look at the indentation and the quotes around this line"
	}
	return &InvalidError{File: file, Problems: []Problem{problem}}
}

// line finds where the value at a dotted path stands, or where the nearest thing around it does.
func (d *document) line(path string) int {
	for parts := strings.Split(path, "."); ; parts = parts[:len(parts)-1] {
		at := d.root
		if len(parts) > 0 && parts[0] != "" {
			at += "." + strings.Join(parts, ".")
		}
		if p, err := yaml.PathString(at); err == nil {
			if node, err := p.FilterFile(d.tree); err == nil && node != nil {
				return startLine(node)
			}
		}
		if len(parts) == 0 {
			return 1
		}
	}
}

// startLine is the line of a node's first token; a mapping's own token is the colon after its first key.
func startLine(node ast.Node) int {
	return node.GetToken().Position.Line
}

func (d *document) invalid(problems []Problem) error {
	for i := range problems {
		problems[i].Line = d.line(problems[i].Path)
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Line - b.Line })
	return &InvalidError{File: d.file, Problems: problems}
}
