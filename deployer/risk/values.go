package risk

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// at returns the property at a path of names with dots between them, or nil.
func at(properties map[string]any, path string) any {
	var value any = properties
	for _, key := range strings.Split(path, ".") {
		inner, _ := value.(map[string]any)
		value = inner[key]
	}
	return value
}

// isTrue reports whether a property is set and true. AWS's defaults of the properties compared here are false, where a rule does
// not name another.
func isTrue(value any) bool { return value == true || value == "true" }

// number returns a property as a number, 0 for what is none.
func number(value any) float64 {
	switch v := value.(type) {
	case float64:
		return v
	case int:
		return float64(v)
	case string:
		if n, err := strconv.ParseFloat(v, 64); err == nil {
			return n
		}
	}
	return 0
}

// asText returns a property that is text, or "".
func asText(value any) string {
	text, _ := value.(string)
	return text
}

// show returns a property in words.
func show(value any) string {
	switch v := value.(type) {
	case nil:
		return "none"
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case map[string]any, []any:
		encoded, _ := json.Marshal(v) //nolint:errchkjson // it came from JSON
		return string(encoded)
	}
	return fmt.Sprint(value)
}

// elements returns a property that is a list, or nil.
func elements(value any) []any {
	all, _ := value.([]any)
	return all
}

func contains(list, element any) bool {
	return slices.ContainsFunc(elements(list), func(e any) bool { return reflect.DeepEqual(e, element) })
}

// byKey returns the elements of a list that are objects, by the text that each has at a key.
func byKey(list any, key string) map[string]map[string]any {
	found := map[string]map[string]any{}
	for _, e := range elements(list) {
		if object, ok := e.(map[string]any); ok {
			found[show(object[key])] = object
		}
	}
	return found
}
