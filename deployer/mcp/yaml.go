package mcp

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// asYAML returns a JSON document as YAML with the same keys in the same order. What YAML could read as anything but text is
// quoted as in JSON, which is YAML as well.
// Source: https://yaml.org/spec/1.2.2/#12-overview (YAML as a superset of JSON)
func asYAML(document []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	root, err := decodeOrdered(decoder)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	writeYAML(&b, root, "")
	return b.String(), nil
}

// A member is a key of an object and its value.
type member struct {
	key   string
	value any
}

// decodeOrdered decodes one value; objects become lists of members.
func decodeOrdered(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		object := []member{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			value, err := decodeOrdered(d)
			if err != nil {
				return nil, err
			}
			object = append(object, member{key.(string), value})
		}
		_, err := d.Token()
		return object, err
	case json.Delim('['):
		array := []any{}
		for d.More() {
			value, err := decodeOrdered(d)
			if err != nil {
				return nil, err
			}
			array = append(array, value)
		}
		_, err := d.Token()
		return array, err
	}
	return token, nil
}

// writeYAML writes an object or an array as a block, each line but the first behind an indent.
func writeYAML(b *strings.Builder, value any, indent string) {
	switch value := value.(type) {
	case []member:
		for i, m := range value {
			if i > 0 {
				b.WriteString(indent)
			}
			b.WriteString(scalar(m.key) + ":")
			writeNested(b, m.value, indent+"  ")
		}
	case []any:
		for i, item := range value {
			if i > 0 {
				b.WriteString(indent)
			}
			b.WriteString("- ")
			if inline, ok := onOneLine(item); ok {
				b.WriteString(inline + "\n")
			} else {
				writeYAML(b, item, indent+"  ")
			}
		}
	}
}

// writeNested writes the value of a key, in the same line where it is short. Lists are not indented.
func writeNested(b *strings.Builder, value any, indent string) {
	if inline, ok := onOneLine(value); ok {
		b.WriteString(" " + inline + "\n")
		return
	}
	if _, isList := value.([]any); isList {
		indent = strings.TrimPrefix(indent, "  ")
	}
	b.WriteString("\n" + indent)
	writeYAML(b, value, indent)
}

// onOneLine returns scalars, and lists and objects without any or of words.
func onOneLine(value any) (text string, ok bool) {
	switch value := value.(type) {
	case []member:
		return "{}", len(value) == 0
	case []any:
		var words []string
		for _, item := range value {
			word, isText := item.(string)
			if !isText || !isWord(word) {
				return "", false
			}
			words = append(words, word)
		}
		return "[" + strings.Join(words, ", ") + "]", true
	}
	return scalar(value), true
}

// word matches a text that is nothing but text also within brackets.
var word = lazyregexp.New(`^[A-Za-z][A-Za-z0-9_./-]*$`)

// reserved declares the words that YAML 1.1 or 1.2 reads as another type.
// Source: https://yaml.org/type/bool.html, https://yaml.org/spec/1.2.2/#103-core-schema
var reserved = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

func isWord(s string) bool {
	return word.MatchString(s) && !slices.Contains(reserved, strings.ToLower(s))
}

// plainText matches a text that needs no quotes where a line holds nothing behind it; a colon or a number sign may not be beside
// a space.
var plainText = lazyregexp.New("^([A-Za-z/]|[0-9]+ [A-Za-z])[A-Za-z0-9 _./:;,()%+=@$*!?'\"`~#&|<>\\[\\]{}…→✓-]*$")

// hasMark matches the end of a key and the beginning of a comment, and white space that would be lost.
var hasMark = lazyregexp.New(`:( |$)| #| $`)

// scalar returns a value that is neither a list nor an object.
func scalar(value any) string {
	text, isText := value.(string)
	switch {
	case !isText:
		encoded, _ := json.Marshal(value)
		return string(encoded)
	case isWord(text):
		return text
	case plainText.MatchString(text) && !hasMark.MatchString(text) && strings.ContainsAny(text, " /:"):
		return text
	}
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text)
	return strings.TrimSuffix(quoted.String(), "\n")
}
