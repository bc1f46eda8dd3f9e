package risk

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/list"
)

// A policy is what a policy document allows and denies, a grant for each action, resource and principal of its statements.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type policy struct{ allows, denies []grant }

type grant struct {
	action, resource, principal string
	// conditions are by operator and key; the grant applies where all are met.
	conditions map[string][]string
	// negated is the statement's NotAction, NotResource and NotPrincipal as JSON. Such statements are only compared as a whole.
	negated string
}

type statement struct {
	Effect                                                            string
	Action, NotAction, Resource, NotResource, Principal, NotPrincipal any
	Condition                                                         map[string]map[string]any
}

// parsePolicy reports whether the document can be read; one whose text only the deployment determines cannot.
func parsePolicy(document any) (policy, bool) {
	if document == nil {
		return policy{}, true
	}
	encoded, isText := document.(string)
	var parsed struct{ Statement json.RawMessage }
	if !isText || json.Unmarshal([]byte(encoded), &parsed) != nil {
		return policy{}, false
	}
	var statements []statement
	if json.Unmarshal(parsed.Statement, &statements) != nil {
		var single statement
		if json.Unmarshal(parsed.Statement, &single) != nil {
			return policy{}, false
		}
		statements = []statement{single}
	}
	var p policy
	for _, s := range statements {
		if s.Effect == "Deny" {
			p.denies = append(p.denies, s.grants()...)
			continue
		}
		p.allows = append(p.allows, s.grants()...)
	}
	return p, true
}

func (s statement) grants() []grant {
	conditions := map[string][]string{}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			conditions[operator+" "+strings.ToLower(key)] = texts(values)
		}
	}
	var negated string
	if s.NotAction != nil || s.NotResource != nil || s.NotPrincipal != nil {
		encoded, _ := json.Marshal([]any{s.NotAction, s.NotResource, s.NotPrincipal}) //nolint:errchkjson // it came from JSON
		negated = string(encoded)
	}
	var all []grant
	for _, action := range orNone(texts(s.Action)) {
		for _, resource := range orNone(texts(s.Resource)) {
			for _, principal := range orNone(principals(s.Principal)) {
				all = append(all, grant{action, resource, principal, conditions, negated})
			}
		}
	}
	return all
}

// orNone returns one empty text for what a statement does not have, so that it has a grant all the same.
func orNone(values []string) []string {
	if len(values) == 0 {
		return []string{""}
	}
	return values
}

// texts returns the elements of what may be one value or a list.
func texts(value any) []string {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return list.Map(v, show)
	}
	return []string{show(value)}
}

// principals returns principals with their kinds. Everyone is "*", also as AWS: "*".
func principals(value any) []string {
	byKind, ok := value.(map[string]any)
	if !ok {
		return texts(value)
	}
	var all []string
	for kind, values := range byKind {
		for _, name := range texts(values) {
			if kind == "AWS" && name == "*" {
				all = append(all, "*")
				continue
			}
			all = append(all, kind+":"+name)
		}
	}
	return all
}

// uncovered returns the actions, sorted, of the grants that no other grant covers.
func uncovered(grants, by []grant) []string {
	var names []string
	for _, g := range grants {
		if !slices.ContainsFunc(by, func(other grant) bool { return other.covers(g) }) {
			name := g.action
			if name == "" {
				name = "every action but those that it names"
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// covers reports whether g applies wherever the other one does. It reports false where that cannot be decided.
func (g grant) covers(other grant) bool {
	if g.negated != other.negated || !matches(strings.ToLower(g.action), strings.ToLower(other.action)) ||
		!matches(g.resource, other.resource) || !matches(g.principal, other.principal) {
		return false
	}
	for key, values := range g.conditions {
		narrower, has := other.conditions[key]
		if !has || !coversValues(key, values, narrower) {
			return false
		}
	}
	return true
}

// coversValues reports whether a condition is met wherever the narrower one is.
func coversValues(key string, values, narrower []string) bool {
	operator, _, _ := strings.Cut(key, " ")
	if strings.Contains(operator, "Not") {
		values, narrower = narrower, values // the more it excludes, the narrower it is
	}
	return !slices.ContainsFunc(narrower, func(n string) bool {
		return !slices.ContainsFunc(values, func(v string) bool {
			return v == n || (strings.Contains(operator, "Like") || strings.Contains(operator, "Arn")) && matches(v, n)
		})
	})
}

// matches reports whether a pattern of IAM matches everything that another pattern, or text, matches: * stands for any text, ? for
// one character.
func matches(pattern, other string) bool {
	star, retry := -1, 0
	i, j := 0, 0
	for j < len(other) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, retry = i, j
			i++
		case i < len(pattern) && (pattern[i] == other[j] || pattern[i] == '?' && other[j] != '*'):
			i++
			j++
		case star >= 0:
			retry++
			i, j = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}
