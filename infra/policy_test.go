package infra

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/internal/iampolicy"
)

// UnmarshalJSON reverses MarshalJSON.
func (v *values) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*v = values{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(v))
}

// parsed returns the policy in a document.
func parsed(t *testing.T, text any) policy {
	t.Helper()
	var p policy
	require.NoError(t, json.Unmarshal([]byte(text.(string)), &p))
	require.Equal(t, policyVersion, p.Version)
	return p
}

// bySid returns the statement with the name.
func (p policy) bySid(t *testing.T, sid string) statement {
	t.Helper()
	i := slices.IndexFunc(p.Statement, func(s statement) bool { return s.Sid == sid })
	require.GreaterOrEqualf(t, i, 0, "no statement %s", sid)
	return p.Statement[i]
}

func TestConditionsAreCombined(t *testing.T) {
	first := allow("", []string{"a:B"}, "r").when("StringEquals", "k", "1")
	second := first.when("StringEquals", "l", "2").when("ArnLike", "m", "3")
	require.Equal(t, condition{"StringEquals": {"k": {"1"}}}, first.Condition, "the first statement is its own")
	require.Equal(t, condition{"StringEquals": {"k": {"1"}, "l": {"2"}}, "ArnLike": {"m": {"3"}}}, second.Condition)
}

func TestDocumentsOfEqualStatementsAreEqual(t *testing.T) {
	render := func() string {
		text, err := document(trust("x.amazonaws.com", "123456789012", "arn:aws:x:*"), tlsOnly("x:*", "a", "b"))
		require.NoError(t, err)
		return text
	}
	for range 20 {
		require.Equal(t, render(), render())
	}
}

// TestPoliciesFollowIAMsGrammar checks the policies of all roles and the boundary as IAM does when it creates them. No other partition has
// the account.
func TestPoliciesFollowIAMsGrammar(t *testing.T) {
	_, stacks := sharedStack(t)
	for _, name := range []string{"dev", "staging", "production"} {
		_, all := deployed(t, name)
		stacks = append(slices.Clone(stacks), all...)
	}
	checked := 0
	for typ, kind := range map[string]struct {
		property string
		check    func(string) error
	}{
		"aws:iam/policy:Policy":         {"policy", iampolicy.CheckIdentity},
		"aws:iam/rolePolicy:RolePolicy": {"policy", iampolicy.CheckIdentity},
		"aws:iam/role:Role":             {"assumeRolePolicy", iampolicy.CheckTrust},
	} {
		for _, r := range ofType(stacks, typ) {
			checked++
			text := r.get(kind.property)
			require.NoErrorf(t, kind.check(text.(string)), "%s %s", typ, r.name)
			for _, s := range parsed(t, text).Statement {
				for _, resource := range s.Resource {
					require.Truef(t, resource == anyResource || strings.HasPrefix(resource, "arn:aws:"), "%s: %s", r.name, resource)
				}
			}
		}
	}
	require.Greater(t, checked, 40)
}

func TestRolesTrustThisAccountsTasksOnly(t *testing.T) {
	_, all := deployed(t, "staging")
	for _, name := range []string{"roles-task", "roles-execution"} {
		trusted := parsed(t, find(t, all, "aws:iam/role:Role", name).get("assumeRolePolicy"))
		require.Len(t, trusted.Statement, 1)
		require.Equal(t, map[string]values{"Service": {"ecs-tasks.amazonaws.com"}}, trusted.Statement[0].Principal)
		require.Equal(t, condition{
			"StringEquals": {"aws:SourceAccount": {"123456789012"}},
			"ArnLike":      {"aws:SourceArn": {"arn:aws:ecs:us-east-1:123456789012:*"}},
		}, trusted.Statement[0].Condition)
	}
}

func TestExecutionRoleIsLimited(t *testing.T) {
	_, all := deployed(t, "production")
	p := parsed(t, find(t, all, "aws:iam/rolePolicy:RolePolicy", "roles-execution").get("policy"))
	require.Equal(t, values{repositoryARN}, p.bySid(t, "Pull").Resource)
	require.Equal(t, values{configSecret}, p.bySid(t, "ReadConfiguration").Resource)
	require.Equal(t, values{"arn:aws:aws:cloudwatch/logGroup:LogGroup:cluster:*"}, p.bySid(t, "WriteLogs").Resource)
	require.Equal(t, values{"ecr:GetAuthorizationToken"}, p.bySid(t, "LogIn").Action)
	require.Len(t, p.Statement, 4)
}

func TestTaskRoleIsLimited(t *testing.T) {
	for name, sids := range map[string]values{
		"dev":        {"ReadSecrets", "UseQueue", "ExecuteCommand"},
		"staging":    {"ReadSecrets", "UseQueue", "ExecuteCommand"},
		"production": {"ReadSecrets", "UseQueue", "Trace"},
	} {
		_, all := deployed(t, name)
		p := parsed(t, find(t, all, "aws:iam/rolePolicy:RolePolicy", "roles-task").get("policy"))
		var got values
		for _, s := range p.Statement {
			got = append(got, s.Sid)
		}
		require.Equal(t, sids, got, name)
		require.Equal(t, values{configSecret, databaseSecret}, p.bySid(t, "ReadSecrets").Resource)
		require.Equal(t, values{"arn:aws:aws:sqs/queue:Queue:queue"}, p.bySid(t, "UseQueue").Resource)
	}
}

func TestNoRoleMayDoEverything(t *testing.T) {
	_, shared := sharedStack(t)
	_, production := deployed(t, "production")
	all := slices.Concat(shared, production)
	for _, r := range append(ofType(all, "aws:iam/rolePolicy:RolePolicy"), ofType(all, "aws:iam/policy:Policy")...) {
		for _, s := range parsed(t, r.get("policy")).Statement {
			if s.Effect == "Deny" {
				continue
			}
			for _, action := range s.Action {
				service, verb, _ := strings.Cut(action, ":")
				require.NotContains(t, service, "*", r.name)
				require.NotEqualf(t, "*", verb, "%s of %s", action, r.name)
			}
		}
	}
}

func TestQueuesAndLogsRequireTLS(t *testing.T) {
	_, all := deployed(t, "staging")
	for typ, names := range map[string]values{
		"aws:sqs/queuePolicy:QueuePolicy":  {"queue", "queue-dlq"},
		"aws:s3/bucketPolicy:BucketPolicy": {"access-logs"},
		"aws:sns/topicPolicy:TopicPolicy":  {"notifications"},
	} {
		for _, name := range names {
			s := parsed(t, find(t, all, typ, name).get("policy")).bySid(t, "TLSOnly")
			require.Equal(t, "Deny", s.Effect)
			require.Equal(t, map[string]values{"AWS": {"*"}}, s.Principal)
			require.Equal(t, condition{"Bool": {"aws:SecureTransport": {"false"}}}, s.Condition)
		}
	}
}

func TestOnlyServicesOfThisAccountPublish(t *testing.T) {
	_, all := deployed(t, "staging")
	p := parsed(t, find(t, all, "aws:sns/topicPolicy:TopicPolicy", "notifications").get("policy"))
	for sid, want := range map[string][2]string{
		"AlarmsPublish":  {"cloudwatch.amazonaws.com", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:*"},
		"BudgetsPublish": {"budgets.amazonaws.com", "arn:aws:budgets::123456789012:*"},
	} {
		s := p.bySid(t, sid)
		require.Equal(t, map[string]values{"Service": {want[0]}}, s.Principal)
		require.Equal(t, values{"123456789012"}, s.Condition["StringEquals"]["aws:SourceAccount"])
		require.Equal(t, values{want[1]}, s.Condition["ArnLike"]["aws:SourceArn"])
	}
}
