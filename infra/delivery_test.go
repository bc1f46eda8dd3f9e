package infra

import (
	"encoding/json"
	"maps"
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

// trustOf returns the trust policy of one of GitHub's roles.
func trustOf(t *testing.T, all []registration, role string) policy {
	t.Helper()
	return parsed(t, find(t, all, "aws:iam/role:Role", role).get("assumeRolePolicy"))
}

// TestGitHubRolesTrustTheBranchesOfTheirEnvironments evaluates the trust policies for jobs on branches that have
// another environment, or none.
func TestGitHubRolesTrustTheBranchesOfTheirEnvironments(t *testing.T) {
	_, all := sharedStack(t)
	for role, name := range map[string]string{
		deployRole: "GitHubActions-Deploy-Role", productionRole: "GitHubActions-Deploy-Role-production",
		readRole: "GitHubActions-Read-Role",
	} {
		require.Equal(t, name, find(t, all, "aws:iam/role:Role", role).get("name"))
	}
	for _, c := range []struct {
		environment, ref string
		trusting         []string
	}{
		{"development", "refs/heads/develop", []string{deployRole, readRole}},
		{"staging", "refs/heads/staging", []string{deployRole, readRole}},
		{"production", "refs/heads/main", []string{productionRole, readRole}},
		{"staging", "refs/heads/develop", []string{readRole}},
		{"development", "refs/heads/main", []string{readRole}},
		{"production", "refs/heads/staging", []string{readRole}},
		{"production", "refs/pull/7/merge", []string{readRole}},
		{"", "refs/pull/7/merge", []string{readRole}},
		{"", "refs/heads/main", []string{readRole}},
		{"", "refs/heads/develop", []string{readRole}},
		{"staging", "refs/heads/feature", nil},
		{"production", "refs/heads/feature", nil},
		{"production", "refs/tags/main", nil},
		{"production", "refs/heads/x/refs/heads/main", nil},
		{"production", "refs/heads/Main", nil},
		{"Production", "refs/heads/main", []string{readRole}},
		{"other", "refs/heads/feature", nil},
		{"", "refs/heads/feature", nil},
		{"", "refs/tags/v1", nil},
		{"", "refs/heads/refs/pull/7/merge", nil},
	} {
		for _, repository := range []string{"balancer/v3-backend", "balancer/v3-backend-infra"} {
			for _, role := range []string{deployRole, productionRole, readRole} {
				trust, job := trustOf(t, all, role), jobOf(repository, c.environment, c.ref)
				require.Equal(t, slices.Contains(c.trusting, role), trust.trusts(t, job), "%v as %s", job, role)
				for _, claim := range []string{"ref", "job_workflow_ref"} {
					fewer := maps.Clone(job)
					delete(fewer, claim)
					require.False(t, trust.trusts(t, fewer), "a token without %s as %s", claim, role)
				}
				job["aud"] = "https://github.com/balancer"
				require.False(t, trust.trusts(t, job), "another audience as %s", role)
			}
		}
	}
}

// TestGitHubRolesTrustWorkflowsOfBranches evaluates the trust policies for jobs that are on the right branch, in a
// workflow that theirs calls: GitHub prefers a tag to a branch of the same name, and a tag needs no review.
func TestGitHubRolesTrustWorkflowsOfBranches(t *testing.T) {
	_, all := sharedStack(t)
	for _, c := range []struct {
		environment, ref, called string
		trusting                 []string
	}{
		{"production", "refs/heads/main", "refs/heads/main", []string{productionRole, readRole}},
		{"production", "refs/heads/main", "refs/heads/staging", []string{readRole}},
		{"production", "refs/heads/main", "refs/heads/Main", []string{readRole}},
		{"production", "refs/heads/main", "refs/tags/main", nil},
		{"production", "refs/heads/main", "refs/pull/7/merge", []string{readRole}},
		{"production", "refs/heads/main", "0123456789012345678901234567890123456789", nil},
		{"production", "refs/heads/feature", "refs/heads/main", nil},
		{"staging", "refs/heads/staging", "refs/heads/main", []string{deployRole, readRole}},
		{"staging", "refs/heads/staging", "refs/heads/staging", []string{deployRole, readRole}},
		{"staging", "refs/heads/staging", "refs/tags/main", nil},
		{"staging", "refs/heads/staging", "refs/tags/staging", nil},
		{"staging", "refs/heads/feature", "refs/heads/staging", nil},
		{"", "refs/heads/develop", "refs/heads/main", []string{readRole}},
		{"", "refs/heads/develop", "refs/tags/main", nil},
		{"", "refs/pull/7/merge", "refs/heads/main", []string{readRole}},
		{"", "refs/pull/7/merge", "refs/tags/main", nil},
	} {
		for _, repository := range []string{"balancer/v3-backend", "balancer/v3-backend-infra"} {
			for _, role := range []string{deployRole, productionRole, readRole} {
				job := jobOf(repository, c.environment, c.ref).calling(c.called)
				require.Equal(t, slices.Contains(c.trusting, role), trustOf(t, all, role).trusts(t, job), "%v as %s", job, role)
			}
		}
	}
}

// TestGitHubRolesTrustBothFormsOfSubjects evaluates the trust policies for a repository whose subjects consist of
// names, and one whose subjects have IDs.
// Source: https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims
func TestGitHubRolesTrustBothFormsOfSubjects(t *testing.T) {
	shared, err := environment.LoadShared("..")
	require.NoError(t, err)
	shared.GitHub.Repositories = []string{"balancer/v3-backend", "balancer@123456/v3-backend-infra@456789"}
	all := record(t, environment.SharedStack, DeployShared(shared, ""))
	for repository, trusted := range map[string]bool{
		"balancer/v3-backend":                     true,
		"balancer@123456/v3-backend-infra@456789": true,
		"balancer@999999/v3-backend-infra@456789": false, // another owner of the same name
		"balancer@123456/v3-backend-infra@999999": false, // another repository of the same name
		"balancer/v3-backend-infra":               false, // anyone may create a deleted name again
		"balancer@123456/v3-backend@456788":       false, // the file lists no IDs
		"someone/v3-backend":                      false, // a fork
		"someone@77/v3-backend-infra@88":          false,
		"balancer/v3-backend-other":               false,
	} {
		for _, c := range []struct{ role, environment, ref string }{
			{deployRole, "staging", "refs/heads/staging"}, {productionRole, "production", "refs/heads/main"}, {readRole, "",
				"refs/pull/1/merge"},
			{readRole, "", "refs/heads/main"},
		} {
			require.Equal(t, trusted, trustOf(t, all, c.role).trusts(t, jobOf(repository, c.environment, c.ref)), "%s as %s",
				repository, c.role)
		}
	}
}

// TestOneEnvironmentMayCallTheWorkflowOfMain checks a role with one environment, whose branch is not main.
func TestOneEnvironmentMayCallTheWorkflowOfMain(t *testing.T) {
	shared, err := environment.LoadShared("..")
	require.NoError(t, err)
	shared.GitHub.Environments = []string{"staging"}
	trust := trustOf(t, record(t, environment.SharedStack, DeployShared(shared, "")), deployRole)
	job := jobOf("balancer/v3-backend", "staging", "refs/heads/staging")
	require.True(t, trust.trusts(t, job.calling("refs/heads/main")))
	require.False(t, trust.trusts(t, job.calling("refs/tags/main")))
}

// TestTrustFitsIntoARole checks IAM's default limit of a trust policy, 2,048 characters, while two repositories change their subjects and three
// environments beside the usual two exist.
// Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func TestTrustFitsIntoARole(t *testing.T) {
	dir := projectWith(t, "preview-one", "preview-two", "preview-three")
	shared, err := environment.LoadShared(dir)
	require.NoError(t, err)
	shared.GitHub.Repositories = append(shared.GitHub.Repositories,
		"balancer@1234567890/v3-backend@1234567890", "balancer@1234567890/v3-backend-infra@1234567890")
	shared.GitHub.Environments = append(shared.GitHub.Environments, "preview-one", "preview-two", "preview-three")
	require.NoError(t, shared.CheckEnvironments())
	all := record(t, environment.SharedStack, DeployShared(shared, ""))
	const recorded = "arn:aws:aws:iam/openIdConnectProvider:OpenIdConnectProvider:delivery"
	for _, r := range ofType(all, "aws:iam/role:Role") {
		text := strings.ReplaceAll(r.get("assumeRolePolicy").(string), recorded,
			"arn:aws:iam::123456789012:oidc-provider/"+githubIssuer)
		require.Contains(t, text, "oidc-provider/")
		require.LessOrEqualf(t, len(text), 2048, "trust policy of %s", r.name)
	}
	require.True(t, trustOf(t, all, deployRole).trusts(t, jobOf("balancer/v3-backend", "preview-two", "refs/heads/preview-two")))
	require.False(t, trustOf(t, all, deployRole).trusts(t, jobOf("balancer/v3-backend", "preview-two", "refs/heads/preview-one")))
}

// projectWith returns a directory with the project's environments and new ones.
func projectWith(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, stack := range []string{environment.SharedStack, "dev", "staging", "production"} {
		source, err := os.ReadFile(filepath.Join("..", environment.FileName(stack)))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, environment.FileName(stack)), source, 0o600))
	}
	for _, name := range names {
		derived, err := environment.Derive(dir, name, "staging", "")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, environment.FileName(name)), derived.Source, 0o600))
	}
	return dir
}

// TestAnEnvironmentWithoutAFileIsNotTrusted checks that its jobs can assume no role, whatever their branch.
func TestAnEnvironmentWithoutAFileIsNotTrusted(t *testing.T) {
	dir := projectWith(t)
	require.NoError(t, os.Remove(filepath.Join(dir, environment.FileName("production"))))
	shared, err := environment.LoadShared(dir)
	require.NoError(t, err)
	shared.GitHub.Environments = append(shared.GitHub.Environments, "other")
	all := record(t, environment.SharedStack, DeployShared(shared, ""))
	for role, name := range map[string]string{deployRole: "other", productionRole: "production"} {
		for _, ref := range []string{"refs/heads/main", "refs/heads/" + name, "refs/heads/staging", ""} {
			require.False(t, trustOf(t, all, role).trusts(t, jobOf("balancer/v3-backend", name, ref)), "%s on %s", name, ref)
		}
	}
	require.True(t, trustOf(t, all, deployRole).trusts(t, jobOf("balancer/v3-backend", "staging", "refs/heads/staging")))
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
		"ecs-tasks.amazonaws.com", "events.amazonaws.com", "scheduler.amazonaws.com", "states.amazonaws.com", "vpc-flow-logs.amazonaws.com",
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
