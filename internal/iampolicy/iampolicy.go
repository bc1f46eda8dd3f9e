// Package iampolicy checks policy documents against IAM's grammar, with the messages of IAM's error MalformedPolicyDocument.
package iampolicy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
)

// CheckIdentity returns IAM's error about a policy of a role or a managed policy, or nil. A document without statements is not checked.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func CheckIdentity(document string) error {
	return check(document, func(s statement) error {
		if s.Principal != nil {
			return problem("Policy document should not specify a principal.")
		}
		if len(s.Resource)+len(s.NotResource) == 0 {
			return problem("Policy statement must contain resources.")
		}
		return nil
	})
}

// CheckTrust returns IAM's error about a role's trust policy, or nil. A document without statements is not checked.
func CheckTrust(document string) error {
	return check(document, func(s statement) error {
		if len(s.Resource)+len(s.NotResource) > 0 {
			return problem("Has prohibited field Resource")
		}
		return nil
	})
}

// A problem is a message of IAM's.
type problem string

// Error returns the message, as IAM capitalizes and punctuates it.
func (p problem) Error() string { return string(p) }

// statement has the elements of a statement that IAM checks.
type statement struct {
	Sid                                      string
	Effect                                   string
	Principal                                any
	Action, NotAction, Resource, NotResource texts
	Condition                                map[string]map[string]any
}

// texts unmarshals one text or a list.
type texts []string

func (t *texts) UnmarshalJSON(document []byte) error {
	var one string
	if json.Unmarshal(document, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(document, (*[]string)(t))
}

// statements unmarshals one statement or a list.
type statements []statement

func (s *statements) UnmarshalJSON(document []byte) error {
	var one statement
	if json.Unmarshal(document, &one) == nil {
		*s = statements{one}
		return nil
	}
	return json.Unmarshal(document, (*[]statement)(s))
}

func check(document string, checkKind func(statement) error) error {
	var policy struct {
		Version   string
		Statement statements
	}
	if json.Unmarshal([]byte(document), &policy) != nil || !slices.Contains([]string{"", "2008-10-17", "2012-10-17"}, policy.Version) {
		return problem("Syntax errors in policy.")
	}
	names := map[string]bool{}
	for _, s := range policy.Statement {
		if s.Sid != "" && names[s.Sid] {
			return problem("Statement IDs (SID) in a single policy must be unique.")
		}
		names[s.Sid] = true
		if err := s.check(); err != nil {
			return err
		}
		if err := checkKind(s); err != nil {
			return err
		}
	}
	return nil
}

func (s statement) check() error {
	if strings.ContainsFunc(s.Sid, func(r rune) bool { return !isAlphanumeric(r) }) {
		return problem("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
	}
	if s.Effect != "Allow" && s.Effect != "Deny" {
		return problem("Syntax errors in policy.")
	}
	if len(s.Action)+len(s.NotAction) == 0 {
		return problem("Policy statement must contain actions.")
	}
	for _, action := range slices.Concat(s.Action, s.NotAction) {
		if err := checkAction(action); err != nil {
			return err
		}
	}
	for _, resource := range slices.Concat(s.Resource, s.NotResource) {
		if err := checkResource(resource); err != nil {
			return err
		}
	}
	for operator := range s.Condition {
		if !operators.MatchString(operator) {
			return problem("Syntax errors in policy.")
		}
	}
	return nil
}

// operators matches the operators of conditions.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
var operators = lazyregexp.New(`^(Null|(ForAllValues:|ForAnyValue:)?(String(Not)?(Equals(IgnoreCase)?|Like)|` +
	`(Numeric|Date)((Not)?Equals|(Less|Greater)Than(Equals)?)|Bool|BinaryEquals|(Not)?IpAddress|Arn(Not)?(Equals|Like))(IfExists)?)$`)

func checkAction(action string) error {
	if action == "*" {
		return nil
	}
	vendor, name, prefixed := strings.Cut(action, ":")
	switch {
	case !prefixed:
		return problem("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	case strings.Contains(name, ":"):
		return problem("Actions/Condition can contain only one colon.")
	case !isVendor(vendor):
		return problem(fmt.Sprintf("Vendor %s is not valid", vendor))
	}
	return nil
}

// checkResource returns IAM's error about an element of Resource. Region, account and what follows may have wildcards, and so may the
// partition as a whole.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func checkResource(resource string) error {
	if resource == "*" {
		return nil
	}
	parts := strings.SplitN(resource, ":", 6)
	switch {
	case len(parts) < 4 || parts[0] != "arn":
		return problem(fmt.Sprintf(`Resource %s must be in ARN format or "*".`, resource))
	case !slices.Contains([]string{"*", "aws", "aws-cn", "aws-us-gov"}, parts[1]):
		return problem(fmt.Sprintf("Partition %q is not valid for resource %q.", parts[1], resource))
	case !isVendor(parts[2]):
		return problem("Resource vendor must be fully qualified and cannot contain regexes.")
	case parts[2] == "iam" && parts[3] != "" && parts[3] != "*":
		return problem(fmt.Sprintf("IAM resource %s cannot contain region information.", resource))
	case parts[2] == "s3" && parts[3] != "" && parts[3] != "*":
		return problem(fmt.Sprintf("Resource %s can not contain region information.", resource))
	}
	return nil
}

// isVendor reports whether text is the name of a service, without wildcards.
func isVendor(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !isAlphanumeric(r) && r != '-' && r != '.' })
}

func isAlphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}
