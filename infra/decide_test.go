package infra

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// request is what IAM evaluates: an action on a resource, with its context.
type request struct {
	action, resource string
	context          map[string]values
}

// of returns a request without a context.
func of(action, resource string) request { return request{action: action, resource: resource} }

// with returns the request with one more key of the context.
func (r request) with(key string, known ...string) request {
	joined := map[string]values{key: known}
	for k, v := range r.context {
		joined[k] = v
	}
	r.context = joined
	return r
}

// allows evaluates identity policies as IAM does: a request needs an allow, and no deny.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (p policy) allows(t *testing.T, r request) bool {
	t.Helper()
	allowed := false
	for _, s := range p.Statement {
		if !s.about(t, r) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

// trusts evaluates a role's trust policy, whose only resource is the role itself. It does not evaluate the principal.
func (p policy) trusts(t *testing.T, r request) bool {
	t.Helper()
	return slices.ContainsFunc(p.Statement, func(s statement) bool {
		return s.Effect == "Allow" && s.Action.match(like, strings.ToLower(r.action), strings.ToLower) && s.conditionsMatch(t, r)
	})
}

func (s statement) about(t *testing.T, r request) bool {
	t.Helper()
	return s.Action.match(like, strings.ToLower(r.action), strings.ToLower) && s.Resource.match(like, r.resource, asIs) && s.conditionsMatch(t, r)
}

func (s statement) conditionsMatch(t *testing.T, r request) bool {
	t.Helper()
	for operator, keys := range s.Condition {
		for key, accepted := range keys {
			if !conditionMatches(t, operator, accepted, r.context[key]) {
				return false
			}
		}
	}
	return true
}

func asIs(s string) string { return s }

// match reports whether one of the values, after fold, matches.
func (v values) match(matches func(pattern, s string) bool, s string, fold func(string) string) bool {
	return slices.ContainsFunc(v, func(pattern string) bool { return matches(fold(pattern), s) })
}

// conditionMatches evaluates one key of a condition. A key that is not in the context does not match, unless the operator
// is a negation or ends in IfExists.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html
func conditionMatches(t *testing.T, operator string, accepted, known values) bool {
	t.Helper()
	if operator == "Null" {
		return (len(known) == 0) == slices.Equal(accepted, values{"true"})
	}
	operator, ifExists := strings.CutSuffix(operator, "IfExists")
	if ifExists && len(known) == 0 {
		return true
	}
	set, operator, isSet := strings.Cut(operator, ":")
	if !isSet {
		set, operator = "", set
	}
	matches, judged := map[string]func(pattern, s string) bool{
		"StringEquals": equal, "StringNotEquals": equal, "StringLike": like, "ArnLike": like, "ArnNotLike": like,
	}[operator]
	require.Truef(t, judged, "operator %s", operator)
	match := func(s string) bool { return accepted.match(matches, s, asIs) }
	switch {
	case strings.Contains(operator, "Not"):
		return !slices.ContainsFunc(known, match)
	case set == "ForAllValues":
		return !slices.ContainsFunc(known, func(s string) bool { return !match(s) })
	}
	return slices.ContainsFunc(known, match)
}

func equal(pattern, s string) bool { return pattern == s }

// like matches * with any characters, and ? with one.
func like(pattern, s string) bool {
	quoted := regexp.QuoteMeta(pattern)
	expression := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(quoted)
	return regexp.MustCompile("^" + expression + "$").MatchString(s)
}

func TestRequestsAreDecidedAsIAMDoes(t *testing.T) {
	p := policy{Statement: []statement{
		allow("", []string{"s3:Get*"}, "arn:aws:s3:::b/*").when("StringEqualsIfExists", "k", "1"),
		allow("", []string{"x:Set"}, "*").when("ForAllValues:StringLike", "names", "a.*", "b"),
		allow("", []string{"x:New"}, "*").when("Null", "made", "false"),
		deny("", []string{"s3:GetObject"}, "*").when("StringNotEquals", "who", "me"),
	}}
	for name, c := range map[string]struct {
		request
		want bool
	}{
		"allowed":               {of("s3:getobject", "arn:aws:s3:::b/k").with("who", "me"), true},
		"denied":                {of("s3:GetObject", "arn:aws:s3:::b/k"), false},
		"another resource":      {of("s3:GetAcl", "arn:aws:s3:::c/k"), false},
		"another action":        {of("s3:PutObject", "arn:aws:s3:::b/k"), false},
		"a condition if exists": {of("s3:GetAcl", "arn:aws:s3:::b/k").with("k", "2"), false},
		"all of a set":          {of("x:Set", "*").with("names", "a.1", "b"), true},
		"not all of a set":      {of("x:Set", "*").with("names", "a.1", "c"), false},
		"known":                 {of("x:New", "*").with("made", "y"), true},
		"not known":             {of("x:New", "*"), false},
	} {
		require.Equal(t, c.want, p.allows(t, c.request), name)
	}
}
