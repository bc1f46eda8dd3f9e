package infra

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/environment"
)

func TestGitHubRolesTrustTheirEnvironments(t *testing.T) {
	_, all := sharedStack(t)
	for name, want := range map[string]struct {
		role     string
		subjects []string
	}{
		"delivery-deploy": {"GitHubActions-Deploy-Role", []string{
			"repo:balancer/v3-backend:environment:development", "repo:balancer/v3-backend:environment:staging",
			"repo:balancer/v3-backend-infra:environment:development", "repo:balancer/v3-backend-infra:environment:staging",
		}},
		"delivery-production": {"GitHubActions-Deploy-Role-production", []string{
			"repo:balancer/v3-backend:environment:production", "repo:balancer/v3-backend-infra:environment:production",
		}},
		"delivery-read": {"GitHubActions-Read-Role", []string{"repo:balancer/v3-backend:*", "repo:balancer/v3-backend-infra:*"}},
	} {
		role := find(t, all, "aws:iam/role:Role", name)
		require.Equal(t, want.role, role.get("name"))
		trusted := parsed(t, role.get("assumeRolePolicy"))
		require.Len(t, trusted.Statement, 1)
		require.Equal(t, values{"sts:AssumeRoleWithWebIdentity"}, trusted.Statement[0].Action)
		require.Equal(t, condition{
			"StringEquals": {"token.actions.githubusercontent.com:aud": {"sts.amazonaws.com"}},
			"StringLike":   {"token.actions.githubusercontent.com:sub": want.subjects},
		}, trusted.Statement[0].Condition)
	}
}

// TestGitHubRolesTrustBothFormsOfSubjects evaluates the trust policies as STS does, for a repository whose subjects consist of names, and one
// whose subjects have IDs.
// Source: https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims
func TestGitHubRolesTrustBothFormsOfSubjects(t *testing.T) {
	shared, err := environment.LoadShared("..")
	require.NoError(t, err)
	shared.GitHub.Repositories = []string{"balancer/v3-backend", "balancer@123456/v3-backend-infra@456789"}
	all := record(t, environment.SharedStack, DeployShared(shared, ""))
	for subject, trusting := range map[string][]string{
		"repo:balancer/v3-backend:environment:staging":                        {deployRole, readRole},
		"repo:balancer/v3-backend:environment:production":                     {productionRole, readRole},
		"repo:balancer/v3-backend:pull_request":                               {readRole},
		"repo:balancer/v3-backend:ref:refs/heads/main":                        {readRole},
		"repo:balancer@123456/v3-backend-infra@456789:environment:staging":    {deployRole, readRole},
		"repo:balancer@123456/v3-backend-infra@456789:environment:production": {productionRole, readRole},
		"repo:balancer@123456/v3-backend-infra@456789:pull_request":           {readRole},
		"repo:balancer@123456/v3-backend-infra@456789:environment:other":      {readRole},
		"repo:balancer@999999/v3-backend-infra@456789:environment:staging":    nil, // another owner of the same name
		"repo:balancer@123456/v3-backend-infra@999999:environment:staging":    nil, // another repository of the same name
		"repo:balancer/v3-backend-infra:environment:staging":                  nil, // anyone may create a deleted name again
		"repo:balancer@123456/v3-backend@456788:environment:staging":          nil, // the file lists no IDs
		"repo:someone/v3-backend:environment:staging":                         nil, // a fork
		"repo:someone@77/v3-backend-infra@88:pull_request":                    nil,
		"repo:balancer/v3-backend-other:environment:staging":                  nil,
	} {
		for _, name := range []string{deployRole, productionRole, readRole} {
			trust := parsed(t, find(t, all, "aws:iam/role:Role", name).get("assumeRolePolicy"))
			token := of("sts:AssumeRoleWithWebIdentity", "").with("token.actions.githubusercontent.com:sub", subject)
			require.Equal(t, slices.Contains(trusting, name),
				trust.trusts(t, token.with("token.actions.githubusercontent.com:aud", "sts.amazonaws.com")), "%s as %s", subject, name)
			require.False(t, trust.trusts(t, token.with("token.actions.githubusercontent.com:aud", "https://github.com/balancer")), subject)
		}
	}
}

// TestTrustFitsIntoARole checks IAM's default limit of a trust policy, 2,048 characters, while two repositories change their subjects and three
// environments beside the usual two exist.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func TestTrustFitsIntoARole(t *testing.T) {
	shared, err := environment.LoadShared("..")
	require.NoError(t, err)
	shared.GitHub.Repositories = append(shared.GitHub.Repositories,
		"balancer@1234567890/v3-backend@1234567890", "balancer@1234567890/v3-backend-infra@1234567890")
	shared.GitHub.Environments = append(shared.GitHub.Environments, "preview-one", "preview-two", "preview-three")
	for _, r := range ofType(record(t, environment.SharedStack, DeployShared(shared, "")), "aws:iam/role:Role") {
		require.Lessf(t, len(r.get("assumeRolePolicy").(string)), 2048, "trust policy of %s", r.name)
	}
}

// TestWorkflowSessionsFitTheirRoles checks that no workflow requests a longer session than its role allows, which AWS
// rejects.
func TestWorkflowSessionsFitTheirRoles(t *testing.T) {
	_, all := sharedStack(t)
	files, err := filepath.Glob("../.github/workflows/*.yml")
	require.NoError(t, err)
	asked := 0
	for _, file := range files {
		body, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`role-duration-seconds: (\d+)`).FindAllSubmatch(body, -1) {
			asked++
			seconds, err := strconv.Atoi(string(found[1]))
			require.NoError(t, err)
			for _, role := range []string{deployRole, productionRole} {
				require.LessOrEqual(t, float64(seconds), find(t, all, "aws:iam/role:Role", role).get("maxSessionDuration"), "%s as %s", file, role)
			}
		}
	}
	require.Positive(t, asked)
}

// TestPermissionsFitIntoARole checks IAM's limits: 10,240 characters of inline policies per role and 6,144 of a managed
// policy, without blanks.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func TestPermissionsFitIntoARole(t *testing.T) {
	_, all := sharedStack(t)
	for _, r := range ofType(all, "aws:iam/rolePolicy:RolePolicy") {
		// A longer region or prefix has to fit as well.
		require.Lessf(t, len(r.get("policy").(string)), 9000, "policy of %s", r.name)
	}
	for _, r := range ofType(all, "aws:iam/policy:Policy") {
		require.Lessf(t, len(r.get("policy").(string)), 5700, "managed policy %s", r.name)
	}
}

func TestReadRoleChangesNothing(t *testing.T) {
	_, all := sharedStack(t)
	for _, inline := range ofType(all, "aws:iam/rolePolicy:RolePolicy") {
		require.NotEqual(t, "delivery-read", inline.name)
	}
	p := parsed(t, find(t, all, "aws:iam/policy:Policy", "delivery-reading").get("policy"))
	require.Equal(t, condition{"StringEquals": {"cloudwatch:namespace": {"Balancer/Infrastructure"}}}, p.bySid(t, "Publish").Condition)
	for _, s := range p.Statement {
		for _, action := range s.Action {
			_, verb, _ := strings.Cut(action, ":")
			reads := slices.ContainsFunc([]string{"Describe", "Get", "List", "View", "Validate", "BatchGet", "Decrypt"}, func(prefix string) bool {
				return strings.HasPrefix(verb, prefix)
			})
			remembers := s.Sid == "RememberStatus" && slices.Equal(s.Resource, values{"arn:aws:s3:::v3-backend-pulumi-state-123456789012/status/*"})
			encrypts := s.Sid == "UseStateKey" && action == "kms:GenerateDataKey"
			require.True(t, reads || remembers || encrypts || action == "cloudwatch:PutMetricData", action)
			require.NotEqual(t, "secretsmanager:GetSecretValue", action)
			require.NotContains(t, []string{"logs:GetLogEvents", "logs:FilterLogEvents"}, action)
		}
	}
}

// TestRolesThatWriteStateMayEncrypt checks that write access to the bucket comes with access to its key.
func TestRolesThatWriteStateMayEncrypt(t *testing.T) {
	_, all := sharedStack(t)
	for role, object := range map[string]string{
		deployRole: "locks/staging.json", productionRole: "locks/production.json", readRole: "status/production.json",
	} {
		may := githubPermissions(t, all, role)
		require.True(t, may.allows(t, of("s3:PutObject", "arn:aws:s3:::v3-backend-pulumi-state-123456789012/"+object)), role)
		for _, action := range []string{"kms:GenerateDataKey", "kms:Decrypt"} {
			require.True(t, may.allows(t, of(action, "arn:aws:kms:us-east-1:123456789012:key/1").
				with("kms:ResourceAliases", "alias/v3-backend-pulumi")), "%s: %s", role, action)
		}
	}
	require.False(t, githubPermissions(t, all, readRole).allows(t, of("s3:PutObject", "arn:aws:s3:::v3-backend-pulumi-state-123456789012/locks/staging.json")))
}

func TestProductionRoleStaysInProduction(t *testing.T) {
	_, all := sharedStack(t)
	text := find(t, all, "aws:iam/rolePolicy:RolePolicy", "delivery-production").get("policy").(string)
	require.NotContains(t, text, "v3-backend-*")
	require.NotContains(t, text, "development")
	p := parsed(t, text)
	pass := p.bySid(t, "PassRoles")
	require.Equal(t, values{"arn:aws:iam::123456789012:role/v3-backend-production-*"}, pass.Resource)
	require.Equal(t, condition{"StringEquals": {"iam:PassedToService": {
		"ecs-tasks.amazonaws.com", "events.amazonaws.com", "states.amazonaws.com", "vpc-flow-logs.amazonaws.com",
	}}}, pass.Condition)
	require.Equal(t, values{
		"arn:aws:s3:::v3-backend-pulumi-state-123456789012/*/production/*",
		"arn:aws:s3:::v3-backend-pulumi-state-123456789012/*/production.*",
	}, p.bySid(t, "WriteState").Resource)
}

// Every ARN with a name that the production role may change is denied to the deploy role, so that no statement can be
// added to both by mistake.
func TestDeployRoleStaysOutOfProduction(t *testing.T) {
	_, all := sharedStack(t)
	deploy := parsed(t, find(t, all, "aws:iam/rolePolicy:RolePolicy", "delivery-deploy").get("policy"))
	denied := deploy.bySid(t, "NotProduction")
	require.Equal(t, "Deny", denied.Effect)
	require.Equal(t, values{"*"}, denied.Action)
	for _, s := range parsed(t, find(t, all, "aws:iam/rolePolicy:RolePolicy", "delivery-production").get("policy")).Statement {
		for _, arn := range s.Resource {
			if s.Effect == "Allow" && strings.Contains(arn, "production") {
				require.Contains(t, denied.Resource, arn)
			}
		}
	}
	require.Equal(t, values{"production"},
		deploy.bySid(t, "NotProductionTag").Condition["StringEquals"]["aws:ResourceTag/Environment"])
	require.Contains(t, deploy.bySid(t, "NotSharedState").Resource, "arn:aws:s3:::v3-backend-pulumi-state-123456789012/*/shared.*")
	require.Contains(t, denied.Resource, "arn:aws:secretsmanager:us-east-1:123456789012:secret:balancer-production-config-*")
}

func TestProductionRoleCannotLoseData(t *testing.T) {
	_, all := sharedStack(t)
	p := parsed(t, find(t, all, "aws:iam/rolePolicy:RolePolicy", "delivery-production").get("policy"))
	denied := p.bySid(t, "KeepData")
	require.Equal(t, "Deny", denied.Effect)
	require.Contains(t, denied.Action, "rds:DeleteDBInstance")
}

// TestLifecycleKeepsWhatRuns evaluates the rules as ECR does: a rule selects images that match all of its patterns, and
// later rules skip those.
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
func TestLifecycleKeepsWhatRuns(t *testing.T) {
	_, all := sharedStack(t)
	policy := find(t, all, "aws:ecr/lifecyclePolicy:LifecyclePolicy", "registry").get("policy").(string)
	require.JSONEq(t, `{"rules": [
		{"rulePriority": 1, "description": "Keep every image tagged running-*", "action": {"type": "expire"}, "selection": {
			"tagStatus": "tagged", "tagPatternList": ["running-*"], "countType": "imageCountMoreThan", "countNumber": 1000}},
		{"rulePriority": 2, "description": "Keep every image tagged previous-*", "action": {"type": "expire"}, "selection": {
			"tagStatus": "tagged", "tagPatternList": ["previous-*"], "countType": "imageCountMoreThan", "countNumber": 1000}},
		{"rulePriority": 3, "description": "Keep the newest 50 tagged images", "action": {"type": "expire"}, "selection": {
			"tagStatus": "tagged", "tagPatternList": ["*"], "countType": "imageCountMoreThan", "countNumber": 50}},
		{"rulePriority": 4, "description": "Drop images without a tag after 7 days", "action": {"type": "expire"}, "selection": {
			"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7}}
	]}`, policy)
	for tags, rule := range map[string]int{"running-staging": 1, "previous-staging": 2, "staging-latest": 3} {
		require.Equal(t, rule, firstRuleSelecting(t, policy, tags, "1.41.8-abc123def"), tags)
	}
}

// firstRuleSelecting returns the priority of the first rule that selects an image with the tags.
func firstRuleSelecting(t *testing.T, lifecycle string, tags ...string) int {
	t.Helper()
	var parsed struct{ Rules []lifecycleRule }
	require.NoError(t, json.Unmarshal([]byte(lifecycle), &parsed))
	for _, rule := range parsed.Rules {
		all := !slices.ContainsFunc(rule.Selection.TagPatternList, func(pattern string) bool {
			return !slices.ContainsFunc(tags, func(tag string) bool { return like(pattern, tag) })
		})
		if rule.Selection.TagStatus == "tagged" && all {
			return rule.RulePriority
		}
	}
	return 0
}
