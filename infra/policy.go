package infra

import (
	"encoding/json"
	"maps"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// policyVersion is the version of the policy language, not of a policy.
const policyVersion = "2012-10-17"

// A policy is an IAM policy document. Equal policies are equal strings when marshaled, so that Pulumi sees no difference.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type policy struct {
	Version   string
	Statement []statement
}

// statement allows or denies actions. Zero fields are omitted.
type statement struct {
	Sid       string `json:",omitempty"`
	Effect    string
	Principal map[string]values `json:",omitempty"`
	Action    values
	Resource  values    `json:",omitempty"`
	Condition condition `json:",omitempty"`
}

// condition maps an operator to keys and their accepted values.
type condition map[string]map[string]values

// values marshals without brackets if it has one value, since IAM limits the number of characters.
type values []string

// MarshalJSON returns a string for one value, or else a list.
func (v values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return json.Marshal(v[0])
	}
	return json.Marshal([]string(v))
}

// anyResource is for actions that AWS cannot limit to a resource.
const anyResource = "*"

func document(statements ...statement) (string, error) {
	return marshal("an IAM policy", policy{Version: policyVersion, Statement: statements})
}

// documentOf returns a policy document about resources whose ARNs AWS generates.
func documentOf(statements func(arns []string) []statement, arns ...pulumi.StringInput) pulumi.StringOutput {
	return textFrom(func(arns []string) (string, error) { return document(statements(arns)...) }, arns...)
}

func allow(sid string, actions []string, resources ...string) statement {
	return statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources}
}

// deny takes precedence over any allow.
func deny(sid string, actions []string, resources ...string) statement {
	return statement{Sid: sid, Effect: "Deny", Action: actions, Resource: resources}
}

// when returns the statement with one more condition. All conditions must be true.
func (s statement) when(operator, key string, accepted ...string) statement {
	conditions, keys := condition{}, map[string]values{key: accepted}
	maps.Copy(conditions, s.Condition)
	maps.Copy(keys, s.Condition[operator])
	conditions[operator] = keys
	s.Condition = conditions
	return s
}

// principal returns the statement with a principal, which policies of a resource require.
func (s statement) principal(kind string, names ...string) statement {
	s.Principal = map[string]values{kind: names}
	return s
}

// trust allows an AWS service to assume a role on behalf of sources in this account only, which prevents a confused
// deputy.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
func trust(service, account, sourceARN string) statement {
	return statement{Effect: "Allow", Action: []string{"sts:AssumeRole"}}.
		principal("Service", service).
		when("StringEquals", "aws:SourceAccount", account).
		when("ArnLike", "aws:SourceArn", sourceARN)
}

func tlsOnly(actions string, resources ...string) statement {
	return deny("TLSOnly", []string{actions}, resources...).
		principal("AWS", "*").
		when("Bool", "aws:SecureTransport", "false")
}
