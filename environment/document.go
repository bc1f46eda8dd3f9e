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

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/problem"
	"github.com/balancer/v3-backend-infra/internal/suggest"
)

// document is a block of configuration and the lines of its keys.
type document struct {
	file string
	text []byte
	// at has the keys that lead to the block.
	at []string
	// source are the file's lines; nil where the block did not come from a file.
	source []string
	// lines has the line of each key by its dotted path; the path of the block itself is "".
	lines map[string]int
	// mistyped are the problems of keys that were not decoded, because they are unknown or their values are of another type.
	mistyped problemList
	// undecoded are the paths of these keys, and of those that unknown ones were probably meant to be.
	undecoded map[string]bool
}

// inFile returns the block config.key of a stack's file.
func inFile(file string, text []byte, key string) *document {
	return &document{file: file, text: text, at: []string{"config", key}, source: strings.Split(string(text), "\n")}
}

// inValue returns the block alone, as Pulumi passes it to a program in JSON, which is YAML.
func inValue(key string, value []byte) *document {
	return &document{file: "the configuration " + key, text: value}
}

// parse decodes the block strictly into the value that into points to. What cannot be decoded is left out, and is in mistyped.
func (d *document) parse(into any) error {
	if !utf8.Valid(d.text) {
		return d.invalid([]problem.Problem{{Message: "it is not a text file", Remedy: "write YAML in UTF-8"}})
	}
	tree, err := parser.ParseBytes(d.text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return d.syntaxError(err)
	}
	block, line, missing := findBlock(tree, d.at)
	if missing != nil {
		return d.invalid([]problem.Problem{*missing})
	}
	checker := typeChecker{lines: map[string]int{}, undecoded: map[string]bool{}}
	decodable := checker.check("", line, block, reflect.TypeOf(into).Elem())
	d.lines, d.mistyped, d.undecoded = checker.lines, checker.problems, checker.undecoded
	if !decodable {
		return d.invalid(d.mistyped)
	}
	if err := yaml.NodeToValue(block, into, yaml.Strict()); err != nil {
		if len(d.mistyped) > 0 {
			return d.invalid(d.mistyped)
		}
		return d.syntaxError(err)
	}
	return nil
}

// withMistyped returns broken rules together with the problems of keys that were not decoded, and without the rules about these.
func (d *document) withMistyped(broken problemList) problemList {
	return append(slices.Clone(d.mistyped), d.withoutUndecoded(broken)...)
}

// withoutUndecoded returns broken rules without those about keys that were not decoded.
func (d *document) withoutUndecoded(broken problemList) problemList {
	follows := func(p problem.Problem) bool {
		for path := range d.undecoded {
			beside := companions[path[strings.LastIndex(path, ".")+1:]]
			if p.Path == path || isBelow(p.Path, path) || isBelow(path, p.Path) || beside != "" && p.Path == parent(path)+"."+beside {
				return true
			}
		}
		return false
	}
	return slices.DeleteFunc(slices.Clone(broken), follows)
}

// companions maps keys to the one beside them whose rule compares both.
var companions = map[string]string{"tasks": "autoscaling", "webhooks": "emails"}

// isBelow reports whether a path is one of a key or an item below another.
func isBelow(path, above string) bool {
	return strings.HasPrefix(path, above+".") || strings.HasPrefix(path, above+"[")
}

const copyBlock = "copy the block from another environment's file"

// findBlock follows keys from the top of a tree and returns the block below the last one, and the line of that key.
func findBlock(tree *ast.File, keys []string) (block ast.Node, line int, missing *problem.Problem) {
	if len(tree.Docs) > 1 {
		return nil, 0, &problem.Problem{
			Line: tree.Docs[1].Start.Position.Line, Message: "a second YAML document begins here", Remedy: "keep one",
		}
	}
	if len(tree.Docs) == 1 {
		block = tree.Docs[0].Body
	}
	if block == nil || block.Type() == ast.CommentType {
		return nil, 0, &problem.Problem{Message: "it is empty", Remedy: "copy another environment's file and change its values"}
	}
	line = 1
	for i, key := range keys {
		path := strings.Join(keys[:i], ".")
		entries, ok := block.(ast.MapNode)
		if !ok {
			return nil, 0, &problem.Problem{
				Line: line, Path: path, Message: "expected keys, got " + describeNode(block), Remedy: fmt.Sprintf("give it the key %q", key),
			}
		}
		found := lookup(entries, key)
		switch len(found) {
		case 0:
			return nil, 0, missingKey(entries, path, line, key)
		case 1:
			block, line = found[0].Value, found[0].Key.GetToken().Position.Line
			if block.Type() == ast.NullType {
				return nil, 0, &problem.Problem{Line: line, Path: strings.Join(keys[:i+1], "."), Message: "it is empty", Remedy: copyBlock}
			}
		default:
			return nil, 0, duplicateKey(strings.Join(keys[:i+1], "."), found)
		}
	}
	return block, line, nil
}

// missingKey returns the problem of a key that a map lacks: in the line of the one that was probably meant to be it, if there is one.
func missingKey(entries ast.MapNode, path string, line int, key string) *problem.Problem {
	for entry := entries.MapRange(); entry.Next(); {
		token := entry.Key().GetToken()
		if near := suggest.Nearest(token.Value, []string{key}); len(near) > 0 {
			return &problem.Problem{
				Line: token.Position.Line, Path: strings.TrimPrefix(path+"."+token.Value, "."), Message: "unknown key",
				Remedy: fmt.Sprintf("did you mean %s?", key),
			}
		}
	}
	return &problem.Problem{Line: line, Path: path, Message: fmt.Sprintf("it has no key %q", key), Remedy: copyBlock}
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

func duplicateKey(path string, found []*ast.MappingValueNode) *problem.Problem {
	first, second := found[0].Key.GetToken().Position.Line, found[1].Key.GetToken().Position.Line
	return &problem.Problem{
		Line: second, Path: path, Message: fmt.Sprintf("it is given twice, first in line %d", first), Remedy: "keep one of the two",
	}
}

// syntaxError converts an error of the YAML library, which has the line.
func (d *document) syntaxError(err error) error {
	p := problem.Problem{Message: err.Error(), Remedy: "check the indentation, the brackets and the quotes around this line"}
	var located yaml.Error
	if errors.As(err, &located) {
		p.Message = "it is not YAML: " + located.GetMessage()
		if token := located.GetToken(); token != nil && token.Position != nil {
			p.Line = token.Position.Line
		}
	}
	return d.invalid([]problem.Problem{p})
}

// invalid returns the problems as an error, each with its line, in the order of the file.
func (d *document) invalid(problems []problem.Problem) error {
	for i := range problems {
		d.locate(&problems[i])
	}
	slices.SortStableFunc(problems, func(a, b problem.Problem) int { return a.Line - b.Line })
	return &problem.Error{Source: d.file, Problems: problems}
}

func (d *document) has(path string) bool {
	_, ok := d.lines[path]
	return ok && !d.undecoded[path]
}

// urlPattern matches URLs, of which an excerpt shows no more than the scheme: a webhook's is a secret where it should not be in the file.
var urlPattern = lazyregexp.New(`(https?://)[^\s,"'\]}]+`)

// locate sets the line and the excerpt of a problem: those of its key, or of the nearest key above it.
func (d *document) locate(p *problem.Problem) {
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
		p.Excerpt = fmt.Sprintf("%5d | %s", p.Line, urlPattern.ReplaceAllString(strings.TrimRight(d.source[p.Line-1], " \t\r"), "$1…"))
	}
}

// parent returns the path one level up: configuration.required of configuration.required[2], then configuration.
func parent(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }
