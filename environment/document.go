package environment

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// document is a block of configuration that was read, and where its keys stand.
type document struct {
	file string
	// source are the file's lines; nil where the block did not come from a file.
	source []string
	// lines are the lines of the keys, by their dotted paths; the block itself is "".
	lines map[string]int
}

// parseFile decodes the block config.key of a stack's file strictly over the value that into points to.
func parseFile(file string, source []byte, key string, into any) (*document, error) {
	return parse(&document{file: file, source: strings.Split(string(source), "\n")}, source, []string{"config", key}, into)
}

// parseValue is parseFile for the block alone, as Pulumi hands it to a program (JSON is YAML).
func parseValue(key string, value []byte, into any) (*document, error) {
	return parse(&document{file: "the configuration " + key}, value, nil, into)
}

func parse(doc *document, source []byte, at []string, into any) (*document, error) {
	if !utf8.Valid(source) {
		return nil, doc.invalid([]Problem{{Message: "it is not a text file", Remedy: "write YAML in UTF-8"}})
	}
	tree, err := parser.ParseBytes(source, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, doc.syntaxError(err)
	}
	block, line, problem := findBlock(tree, at)
	if problem != nil {
		return nil, doc.invalid([]Problem{*problem})
	}
	checker := typeChecker{lines: map[string]int{}}
	checker.check("", line, block, reflect.TypeOf(into).Elem())
	doc.lines = checker.lines
	if len(checker.problems) > 0 {
		return nil, doc.invalid(checker.problems)
	}
	if err := yaml.NodeToValue(block, into, yaml.Strict()); err != nil {
		return nil, doc.syntaxError(err)
	}
	return doc, nil
}

const copyBlock = "copy the block from another environment's file"

// findBlock follows keys from the top of a tree and returns the block below the last one, and the line of that key.
func findBlock(tree *ast.File, keys []string) (block ast.Node, line int, problem *Problem) {
	if len(tree.Docs) > 1 {
		return nil, 0, &Problem{
			Line: tree.Docs[1].Start.Position.Line, Message: "a second YAML document begins here", Remedy: "keep one",
		}
	}
	if len(tree.Docs) == 1 {
		block = tree.Docs[0].Body
	}
	if block == nil || block.Type() == ast.CommentType {
		return nil, 0, &Problem{Message: "it is empty", Remedy: "copy another environment's file and change its values"}
	}
	line = 1
	for i, key := range keys {
		path := strings.Join(keys[:i], ".")
		entries, ok := block.(ast.MapNode)
		if !ok {
			return nil, 0, &Problem{
				Line: line, Path: path, Message: "wants keys, has " + describeNode(block), Remedy: fmt.Sprintf("give it the key %q", key),
			}
		}
		found := lookup(entries, key)
		switch len(found) {
		case 0:
			return nil, 0, &Problem{
				Line: line, Path: path, Message: fmt.Sprintf("it has no key %q", key), Remedy: copyBlock,
			}
		case 1:
			block, line = found[0].Value, found[0].Key.GetToken().Position.Line
			if block.Type() == ast.NullType {
				return nil, 0, &Problem{
					Line: line, Path: strings.Join(keys[:i+1], "."), Message: "it is empty", Remedy: copyBlock,
				}
			}
		default:
			return nil, 0, duplicateKey(strings.Join(keys[:i+1], "."), found)
		}
	}
	return block, line, nil
}

func lookup(entries ast.MapNode, key string) []*ast.MappingValueNode {
	var found []*ast.MappingValueNode
	for entry := entries.MapRange(); entry.Next(); {
		if entry.Key().GetToken().Value == key {
			found = append(found, entry.KeyValue())
		}
	}
	return found
}

func duplicateKey(path string, found []*ast.MappingValueNode) *Problem {
	first, second := found[0].Key.GetToken().Position.Line, found[1].Key.GetToken().Position.Line
	return &Problem{
		Line: second, Path: path, Message: fmt.Sprintf("it is given twice, first in line %d", first), Remedy: "keep one of the two",
	}
}

// syntaxError turns an error of the YAML library, which knows the place, into one of ours.
func (d *document) syntaxError(err error) error {
	problem := Problem{Message: err.Error(), Remedy: "look at the indentation, the brackets and the quotes around this line"}
	var located yaml.Error
	if errors.As(err, &located) {
		problem.Message = "it is not YAML: " + located.GetMessage()
		if token := located.GetToken(); token != nil && token.Position != nil {
			problem.Line = token.Position.Line
		}
	}
	return d.invalid([]Problem{problem})
}

// invalid gives the problems their lines and puts them into the file's order.
func (d *document) invalid(problems []Problem) error {
	for i := range problems {
		d.locate(&problems[i])
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Line - b.Line })
	return &InvalidError{File: d.file, Problems: problems}
}

// has reports whether the block says anything at a path.
func (d *document) has(path string) bool {
	_, ok := d.lines[path]
	return ok
}

// locate says where a problem's key stands, or the nearest key around it.
func (d *document) locate(p *Problem) {
	if d.source == nil {
		p.Line = 0
		return
	}
	for path := p.Path; p.Line == 0; path = parent(path) {
		p.Line = d.lines[path]
		if path == "" {
			break
		}
	}
	if p.Line > 0 && p.Line <= len(d.source) {
		p.Excerpt = fmt.Sprintf("%5d | %s", p.Line, strings.TrimRight(d.source[p.Line-1], " \t\r"))
	}
}

// parent is the path around a path: configuration.required of configuration.required[2], and configuration of that.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}
