package cloud

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// resourceTypes are the simulated types; all others are rejected by name.
var resourceTypes = mergeTypes(networkTypes, instanceTypes, nameTypes, bucketTypes, balancerTypes, databaseTypes, queueTypes, containerTypes,
	roleTypes, monitoringTypes, firewallTypes, workflowTypes)

func mergeTypes(parts ...map[string]resourceType) map[string]resourceType {
	all := map[string]resourceType{}
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}

// refTo returns a ref to resources that are named by one of the outputs by, or by their ID if there is none.
func refTo(path, typ, code, format string, by ...string) ref {
	if len(by) == 0 {
		by = []string{"id"}
	}
	return ref{path: path, typ: typ, by: by, missing: errorTemplate{code, format}}
}

func matchesPattern(property, pattern, reason string) rule {
	compiled := lazyregexp.New(pattern)
	return func(in values) (string, string) {
		if value, ok := in[property].(string); ok && !compiled.MatchString(value) {
			return property, fmt.Sprintf("%q %s", value, reason)
		}
		return "", ""
	}
}

func noPrefix(property, prefix string) rule {
	return func(in values) (string, string) {
		if value, _ := in[property].(string); strings.HasPrefix(value, prefix) {
			return property, fmt.Sprintf("%q cannot begin with %q", value, prefix)
		}
		return "", ""
	}
}

// oneOf checks that a string or a number is one of the allowed values.
func oneOf(property string, allowed ...string) rule {
	return func(in values) (string, string) {
		switch in[property].(type) {
		case string, float64:
			if value := text(in[property]); !slices.Contains(allowed, value) {
				return property, fmt.Sprintf("expected %s to be one of [%s], got %s", property,
					strings.Join(allowed, " "), value)
			}
		}
		return "", ""
	}
}

func isJSON(property string) rule {
	return func(in values) (string, string) {
		if value, ok := in[property].(string); ok && !json.Valid([]byte(value)) {
			return property, fmt.Sprintf("%q contains an invalid JSON", property)
		}
		return "", ""
	}
}

func inRange(property string, low, high float64) rule {
	return func(in values) (string, string) {
		if value, ok := in[property].(float64); ok && (value < low || value > high) {
			return property, fmt.Sprintf("expected %s to be in the range (%v - %v), got %v", property, low, high, value)
		}
		return "", ""
	}
}

func array(items ...any) []any { return items }

// stringList converts strings to a list in the form of JSON.
func stringList(items []string) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = item
	}
	return out
}

// unique rejects a name that another resource of the type has.
func unique(property, code, format string) func(*State, *Resource) error {
	return func(s *State, r *Resource) error {
		for _, other := range s.ByType(r.Type) {
			if other.ID != r.ID && other.Text(property) == r.Text(property) {
				return errorf(code, format, r.Text(property))
			}
		}
		return nil
	}
}
