package infra

import (
	"encoding/json"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// policyVersion is the version of the policy language, not of a policy.
const policyVersion = "2012-10-17"

// policy is an IAM policy document. Marshalled, equal policies are equal strings: Pulumi sees no change where there is
// none.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type policy struct {
	Version   string
	Statement []statement
}

// statement allows or denies actions. Its zero fields are left out of the document.
type statement struct {
	Sid       string `json:",omitempty"`
	Effect    string
	Principal map[string]values `json:",omitempty"`
	Action    values
	Resource  values    `json:",omitempty"`
	Condition condition `json:",omitempty"`
}

// condition maps an operator to keys and the values that are accepted.
type condition map[string]map[string]values

// values are one or more. IAM counts characters, and takes one value without its brackets.
type values []string

// MarshalJSON leaves the brackets out around one value.
func (v values) MarshalJSON() ([]byte, error) {
	if len(v) == 1 {
		return json.Marshal(v[0])
	}
	return json.Marshal([]string(v))
}

// anyResource is for the actions that AWS cannot limit to a resource.
const anyResource = "*"

// document joins statements into a policy document.
func document(statements ...statement) (string, error) {
	text, err := json.Marshal(policy{Version: policyVersion, Statement: statements})
	if err != nil {
		return "", fmt.Errorf("marshal an IAM policy: %w", err)
	}
	return string(text), nil
}

// documentOf renders a policy about resources whose ARNs AWS makes up.
func documentOf(statements func(arns []string) []statement, arns ...pulumi.StringInput) pulumi.StringOutput {
	return pulumi.StringArray(arns).ToStringArrayOutput().ApplyT(func(arns []string) (string, error) {
		return document(statements(arns)...)
	}).(pulumi.StringOutput)
}

// allow permits actions on resources.
func allow(sid string, actions []string, resources ...string) statement {
	return statement{Sid: sid, Effect: "Allow", Action: actions, Resource: resources}
}

// deny forbids actions on resources, whatever else allows them.
func deny(sid string, actions []string, resources ...string) statement {
	return statement{Sid: sid, Effect: "Deny", Action: actions, Resource: resources}
}

// when returns the statement with one more condition; all of them have to hold.
func (s statement) when(operator, key string, accepted ...string) statement {
	joined := condition{}
	for op, keys := range s.Condition {
		joined[op] = keys
	}
	keys := map[string]values{key: accepted}
	for k, v := range joined[operator] {
		keys[k] = v
	}
	joined[operator] = keys
	s.Condition = joined
	return s
}

// principal returns the statement with the principal that it is about, for policies that are attached to a resource.
func (s statement) principal(kind string, names ...string) statement {
	s.Principal = map[string]values{kind: names}
	return s
}

// trust lets an AWS service assume a role on behalf of sources in this account only, so that nobody else's resources
// can make the service use it.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
func trust(service, account, sourceARN string) statement {
	return statement{Effect: "Allow", Action: []string{"sts:AssumeRole"}}.
		principal("Service", service).
		when("StringEquals", "aws:SourceAccount", account).
		when("ArnLike", "aws:SourceArn", sourceARN)
}

// tlsOnly denies everybody whatever is asked for without TLS.
func tlsOnly(actions string, resources ...string) statement {
	return deny("TLSOnly", []string{actions}, resources...).
		principal("AWS", "*").
		when("Bool", "aws:SecureTransport", "false")
}
