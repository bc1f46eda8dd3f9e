package environment

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/suggest"
)

// typeChecker compares a block of YAML with the Go type that it will be decoded into and collects every mismatch. It is
// stricter than the decoder, which stops at the first mistake, converts numbers to text, and reads 010 as 8.
type typeChecker struct {
	problems problemList
	// lines has the line of each key by its dotted path.
	lines map[string]int
	// undecoded are the paths of what check removed, and of the keys that unknown ones were probably meant to be.
	undecoded map[string]bool
}

// wholeNumber matches what has one reading only: no octal, no exponent, no separators.
var wholeNumber = lazyregexp.New(`^-?(0|[1-9][0-9]*)$`)

// check checks the value of a path, whose key is in line, and removes from it what cannot be decoded. It returns whether the rest can be.
func (s *typeChecker) check(path string, line int, node ast.Node, t reflect.Type) (decodable bool) {
	s.lines[path] = line
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Struct:
		decodable = s.mapping(path, node, t)
	case t.Kind() == reflect.Slice:
		decodable = s.sequence(path, node, t)
	default:
		if decodable = matches(node, t); !decodable {
			s.mismatch(path, node, t)
		}
	}
	return decodable
}

func (s *typeChecker) mapping(path string, node ast.Node, t reflect.Type) (decodable bool) {
	entries, ok := node.(ast.MapNode)
	if !ok {
		s.mismatch(path, node, t)
		return false
	}
	var removed []*ast.MappingValueNode
	for entry := entries.MapRange(); entry.Next(); {
		key := entry.Key().GetToken()
		name, line := key.Value, key.Position.Line
		child := strings.TrimPrefix(path+"."+name, ".")
		field, ok := fieldOf(t, name)
		s.lines[child] = line
		keep := false
		switch found := lookup(entries, name); {
		case entry.Key().IsMergeKey():
			s.problems.add(child, "write the keys out", "other keys are merged here")
		case !ok:
			for _, meant := range suggest.Nearest(name, keysOf(t)) {
				s.undecoded[strings.TrimPrefix(path+"."+meant, ".")] = true
			}
			s.problems.add(child, suggest.Hint(name, keysOf(t), "the keys here are "+strings.Join(keysOf(t), ", ")), "unknown key")
		case len(found) > 1 && found[0].Key == entry.Key():
			s.problems = append(s.problems, *duplicateKey(child, found))
		case len(found) == 1:
			keep = s.check(child, line, entry.Value(), field.Type)
		}
		if !keep {
			s.undecoded[child] = true
			removed = append(removed, entry.KeyValue())
		}
	}
	if len(removed) == 0 {
		return true
	}
	all, ok := node.(*ast.MappingNode)
	if ok {
		all.Values = slices.DeleteFunc(all.Values, func(value *ast.MappingValueNode) bool { return slices.Contains(removed, value) })
	}
	return ok
}

func (s *typeChecker) sequence(path string, node ast.Node, t reflect.Type) (decodable bool) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		s.mismatch(path, node, t)
		return false
	}
	decodable = true
	for i, value := range list.Values {
		decodable = s.check(fmt.Sprintf("%s[%d]", path, i), value.GetToken().Position.Line, value, t.Elem()) && decodable
	}
	return decodable
}

func (s *typeChecker) mismatch(path string, node ast.Node, t reflect.Type) {
	kind, remedy := expected(t)
	switch node.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		remedy = "write the value out"
	case *ast.NullNode:
		remedy += ", or remove the key"
	}
	s.problems.add(path, remedy, "expected %s, got %s", kind, describeNode(node))
}

// matches reports whether a scalar can be decoded into the type without a conversion.
func matches(node ast.Node, t reflect.Type) bool {
	text, isText := textOf(node)
	switch {
	case t == reflect.TypeFor[time.Duration]():
		_, err := time.ParseDuration(text)
		return isText && err == nil
	case t.Kind() == reflect.String:
		return isText
	case t.Kind() == reflect.Bool:
		return node.Type() == ast.BoolType
	case t.Kind() == reflect.Int:
		number := node.GetToken().Value
		_, err := strconv.Atoi(number)
		return node.Type() == ast.IntegerType && wholeNumber.MatchString(number) && err == nil
	}
	return false
}

func textOf(node ast.Node) (text string, ok bool) {
	switch node := node.(type) {
	case *ast.StringNode:
		return node.Value, true
	case *ast.LiteralNode:
		return node.Value.Value, true
	}
	return "", false
}

// expected returns what a type is called in a message, and how to write a value of it.
func expected(t reflect.Type) (kind, remedy string) {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a time", "give a time such as 90s, 15m or 1h30m"
	case t.Kind() == reflect.Struct:
		return "keys", "give it keys such as " + keysOf(t)[0] + " on lines of their own"
	case t.Kind() == reflect.Slice:
		return "a list", "give a list, in square brackets"
	case t.Kind() == reflect.Bool:
		return "true or false", "write true or false, without quotes"
	case t.Kind() == reflect.Int:
		return "a whole number", "give a whole number, in digits and without quotes"
	}
	return "text", "put the value in quotes"
}

// describeNode returns the words that a message has for a node.
func describeNode(node ast.Node) string {
	if node.GetToken().Type == token.StringType && wholeNumber.MatchString(node.GetToken().Value) {
		return "a number that is too large"
	}
	if text, ok := textOf(node); ok {
		return fmt.Sprintf("the text %q", urlPattern.ReplaceAllString(text, "$1…"))
	}
	switch node := node.(type) {
	case *ast.NullNode:
		return "nothing"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "keys"
	case *ast.AliasNode:
		return "an alias"
	case *ast.AnchorNode:
		return "an anchor"
	case *ast.TagNode:
		return "a tag"
	default:
		return node.GetToken().Value
	}
}

func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if field := t.Field(i); keyOf(field) == key {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

// keysOf returns the keys that are decoded into t, in the order of its fields.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key := keyOf(t.Field(i)); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// keyOf returns a field's key, or "" for a field that is not in the file.
func keyOf(field reflect.StructField) string {
	if key := field.Tag.Get("yaml"); key != "-" {
		return key
	}
	return ""
}
