package iampolicy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCheck checks IAM's rules one by one, in an identity policy and in a trust policy.
func TestCheck(t *testing.T) {
	identity := func(elements string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:*","Resource":"*"},{` + elements + `}]}`
	}
	on := func(resource string) string { return `"Effect":"Deny","Action":"*","Resource":"` + resource + `"` }
	acting := func(action string) string {
		return `"Effect":"Allow","Resource":"*","Action":["sqs:Get*","` + action + `"]`
	}
	when := func(operator string) string {
		return on("*") + `,"Condition":{"` + operator + `":{"aws:RequestedRegion":"x"}}`
	}
	const vendor, partition = "Resource vendor must be fully qualified and cannot contain regexes.", "is not valid for resource"
	for elements, want := range map[string]string{
		on("*"): "", on("arn:aws:sqs:*:*:x-*"): "", on("arn:aws:sqs:*"): "", on("arn:*:sqs:us-east-1:1:x"): "", on("arn:aws:s3:::b/*"): "",
		on("arn:aws:iam::1:role/*"): "", on("arn:aws:iam::aws:policy/x"): "",

		on("arn:aws:*:us-east-1:123456789012:*/x-*"): vendor, on("arn:aws:sq?:us-east-1:1:x"): vendor, on("arn:aws::us-east-1:1:x"): vendor,
		on("arn:aws*:sqs:us-east-1:1:x"): partition, on("arn:other:sqs:us-east-1:1:x"): partition,
		on("queue"): "must be in ARN format", on("x:aws:sqs:*:*:y"): "must be in ARN format", on("arn:aws:sqs"): "must be in ARN format",
		on("arn:aws:iam:us-east-1:1:role/x"): "cannot contain region information", on("arn:aws:s3:us-east-1::b"): "can not contain region information",
		`"Effect":"Allow","Action":"*","NotResource":"arn:aws:*:*:*:*"`: vendor,
		`"Effect":"Allow","Action":"*"`:                                 "must contain resources",
		`"Effect":"Allow","Resource":"*"`:                               "must contain actions",
		`"Effect":"allow","Action":"*","Resource":"*"`:                  "Syntax errors",
		on("*") + `,"Principal":"*"`:                                    "should not specify a principal",
		on("*") + `,"Sid":"a-b"`:                                        "must be alpha-numeric",

		acting("sns:Get*"): "", acting("get"): "prefaced by a vendor", acting("s*:Get"): "Vendor s* is not valid", acting("a:b:c"): "only one colon",
		when("StringEquals"): "", when("ForAllValues:StringLikeIfExists"): "", when("ArnNotEquals"): "", when("Null"): "", when("NumericLessThanEquals"): "",
		when("StringMatches"): "Syntax errors", when("NullIfExists"): "Syntax errors", when("ForSome:StringLike"): "Syntax errors",
	} {
		requireMessage(t, want, CheckIdentity(identity(elements)), elements)
	}
	requireMessage(t, "must be unique", CheckIdentity(`{"Statement":[{"Sid":"a",`+on("*")+`},{"Sid":"a",`+on("*")+`}]}`), "equal names")
	requireMessage(t, "Syntax errors", CheckIdentity(`{"Version":"2026-01-01"}`), "another version")
	requireMessage(t, "Syntax errors", CheckIdentity(`{`), "no JSON")
	requireMessage(t, vendor, CheckIdentity(`{"Statement":{`+on("arn:aws:*:*:*:*")+`}}`), "a single statement")

	const trust = `{"Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"`
	requireMessage(t, "", CheckTrust(trust+`}]}`), "a trust policy")
	requireMessage(t, "prohibited field Resource", CheckTrust(trust+`,"Resource":"*"}]}`), "a trust policy of a resource")
}

func requireMessage(t *testing.T, want string, err error, of string) {
	t.Helper()
	if want == "" {
		require.NoError(t, err, of)
		return
	}
	require.ErrorContains(t, err, want, of)
}
