package environment

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/docs"
	"github.com/balancer/v3-backend-infra/internal/problem"
)

// documented is a row of a table in docs/environment.md: type and default.
type documented struct{ kind, value string }

// TestDocumentation compares the tables with the structs: every key, its type and its default, and nothing else.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/environment.md")
	require.NoError(t, err)
	own, shared, found := strings.Cut(string(page), "## The shared stack")
	require.True(t, found)

	e := defaults("staging")
	e.applyDefaults(func(path string) bool { return path == "services.api.healthCheck" })
	require.Equal(t, keysIn(reflect.ValueOf(e)), rows(own))
	require.Equal(t, keysIn(reflect.ValueOf(sharedDefaults())), rows(shared))
}

func rows(page string) map[string]documented {
	cells := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([a-z ]+) \\| (?:`(.*?)`|–)? ?\\|")
	found := map[string]documented{}
	for _, row := range cells.FindAllStringSubmatch(page, -1) {
		found[row[1]] = documented{kind: row[2], value: strings.ReplaceAll(row[3], `\|`, "|")}
	}
	return found
}

// keysIn returns the keys that are decoded into v, with their defaults. An optional service is one key.
func keysIn(v reflect.Value) map[string]documented {
	keys := map[string]documented{}
	for i := range v.NumField() {
		field, key := v.Field(i), keyOf(v.Type().Field(i))
		if field.Kind() == reflect.Pointer && field.Type() != reflect.TypeFor[*Service]() {
			field = reflect.New(field.Type().Elem()).Elem()
		}
		switch {
		case key == "":
		case field.Kind() == reflect.Pointer:
			keys[key] = documented{kind: "keys"}
		case field.Kind() == reflect.Struct:
			for below, row := range keysIn(field) {
				keys[key+"."+below] = row
			}
		default:
			keys[key] = documented{kind: kindOf(field.Type()), value: formatDefault(field)}
		}
	}
	return keys
}

func kindOf(t reflect.Type) string {
	kinds := map[reflect.Kind]string{reflect.String: "text", reflect.Int: "number", reflect.Bool: "true or false", reflect.Slice: "list"}
	if t == reflect.TypeFor[time.Duration]() {
		return "time"
	}
	return kinds[t.Kind()]
}

// formatDefault returns a default as a file would have it, or "" for none.
func formatDefault(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		if value == 0 {
			return ""
		}
		return formatDuration(value)
	case []string:
		if value == nil {
			return ""
		}
		text, _ := json.Marshal(value)
		return strings.ReplaceAll(string(text), `","`, `", "`)
	default:
		if v.IsZero() {
			return ""
		}
		return fmt.Sprint(value)
	}
}

// TestEveryProblemIsExplained checks that the page explains every rule that a file can break.
func TestEveryProblemIsExplained(t *testing.T) {
	explained := 0
	for name := range invalid {
		var problems *problem.Error
		require.ErrorAs(t, loadTestdata(t, "invalid-"+name), &problems)
		for _, p := range problems.Problems {
			general := p.Path == "" || strings.HasPrefix(p.Path, "config") && !strings.HasPrefix(p.Path, "configuration.") ||
				strings.Contains(p.Message, "unknown key") || strings.Contains(p.Message, "keys are merged")
			if general {
				continue // about the form of the file: its first lines describe that
			}
			rules := docs.RulesOf(p.Path, strings.Contains(problems.Source, SharedStack))
			require.NotEmpty(t, rules, "%s: %s", name, p.Path)
			require.NotEmpty(t, rules[0].Text, "%s: %s", name, p.Path)
			explained++
		}
	}
	require.Greater(t, explained, 80)
	require.Len(t, docs.Rules(), len(keysIn(reflect.ValueOf(defaults("staging"))))+len(keysIn(reflect.ValueOf(sharedDefaults()))))
}
