package infra

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

// request is what IAM evaluates: an action on a resource, with its context.
type request struct {
	action, resource string
	context          map[string]values
}

// of returns a request without a context.
func of(action, resource string) request { return request{action: action, resource: resource} }

// with returns the request with another value of a key of the context.
func (r request) with(key string, known ...string) request {
	joined := maps.Clone(r.context)
	if joined == nil {
		joined = map[string]values{}
	}
	joined[key] = known
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

// trusts evaluates a role's trust policy, whose only resource is the role itself, for a token of GitHub.
func (p policy) trusts(t *testing.T, token claims) bool {
	t.Helper()
	allowed := false
	for _, s := range p.Statement {
		if !s.Action.match(like, strings.ToLower(assumeWithToken), strings.ToLower) || !s.conditionsMatch(t, token.request()) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		allowed = true
	}
	return allowed
}

// claims are those of a token of GitHub, by their names.
type claims map[string]string

// jobOf returns the claims of a job in a workflow that no other calls. The environment is "" for a job without one.
// Source: https://docs.github.com/en/actions/reference/security/oidc
func jobOf(repository, environment, ref string) claims {
	token := claims{"aud": "sts.amazonaws.com", "ref": ref, "repository": repository,
		"job_workflow_ref": repository + "/.github/workflows/deploy.yml@" + ref}
	switch {
	case environment != "":
		token["environment"], token["sub"] = environment, "repo:"+repository+":environment:"+environment
	case strings.HasPrefix(ref, "refs/pull/"):
		token["sub"] = "repo:" + repository + ":pull_request"
	default:
		token["sub"] = "repo:" + repository + ":ref:" + ref
	}
	return token
}

// calling returns the claims where the job is in a workflow that the run's own calls, which GitHub read from ref.
// Source: https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-with-reusable-workflows
func (c claims) calling(ref string) claims {
	called := maps.Clone(c)
	called["job_workflow_ref"] = "balancer/v3-backend-infra/.github/workflows/deploy-code.yml@" + ref
	return called
}

// request returns the request that STS decides: the standard claims and those of GitHub that STS supports are keys of
// the context, others are not.
// Source: https://aws.amazon.com/about-aws/whats-new/2026/01/aws-sts-supports-validation-identity-provider-claims/
func (c claims) request() request {
	r := of(assumeWithToken, "")
	for _, name := range []string{
		"aud", "sub", "amr",
		"actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository", "repository_id", "workflow",
	} {
		if value, ok := c[name]; ok {
			r = r.with(githubIssuer+":"+name, value)
		}
	}
	return r
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
		"StringEquals": equal, "StringNotEquals": equal, "StringLike": like, "ArnLike": like, "ArnNotEquals": like,
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
	star, retry := -1, 0
	i := 0
	for j := 0; j < len(s); {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, retry = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i, j = i+1, j+1
		case star >= 0:
			retry++
			i, j = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
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

func TestPatternsMatchAsInIAM(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"*", "", true}, {"*", "a:b/c", true}, {"a", "a", true}, {"a", "b", false}, {"a*", "a", true}, {"*a",
			"ba", true},
		{"*a", "ab", false}, {"a*b*c", "aXbYc", true}, {"a*b*c", "abbcbc", true}, {"a*b*c", "abcb", false}, {"a?c", "abc", true},
		{"a?c", "ac", false}, {"a.c", "abc", false}, {"**", "x", true}, {"a*", "b", false}, {"ab", "a", false}, {"A*", "ab",
			false},
	} {
		require.Equal(t, c.want, like(c.pattern, c.text), "%s: %s", c.pattern, c.text)
	}
}

// TestTokensAreDecidedAsSTSDoes checks that a condition on a claim that STS does not know never matches.
func TestTokensAreDecidedAsSTSDoes(t *testing.T) {
	job := jobOf("o/r", "staging", "refs/heads/staging")
	job["repository_owner"] = "o"
	base := githubTrust("arn:issuer", environment.GitHub{Repositories: []string{"o/r"}})
	for name, c := range map[string]struct {
		statements []statement
		want       bool
	}{
		"the audience":     {[]statement{base}, true},
		"the branch":       {[]statement{base.when("StringEquals", claimRef, "refs/heads/staging")}, true},
		"another branch":   {[]statement{base.when("StringEquals", claimRef, "refs/heads/x")}, false},
		"an unknown claim": {[]statement{base.when("StringEquals", githubIssuer+":repository_owner", "o")}, false},
		"a denied branch": {[]statement{base, {Effect: "Deny", Action: values{assumeWithToken},
			Condition: condition{"StringNotEquals": {claimRef: {"refs/heads/x"}}}}}, false},
		"another is denied": {[]statement{base, {Effect: "Deny", Action: values{assumeWithToken},
			Condition: condition{"StringNotEquals": {claimRef: {"refs/heads/staging"}}}}}, true},
		"another permission": {[]statement{{Effect: "Allow", Action: values{"sts:AssumeRole"}}}, false},
	} {
		require.Equal(t, c.want, policy{Statement: c.statements}.trusts(t, job), name)
	}
}
