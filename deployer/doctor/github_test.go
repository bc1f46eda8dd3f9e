package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/environment"
)

// expected returns what the files of this project require of GitHub.
func expected(t *testing.T) Expected {
	t.Helper()
	shared, err := environment.LoadShared("../..")
	require.NoError(t, err)
	var envs []*environment.Environment
	for _, name := range []string{"dev", "staging", "production"} {
		env, err := environment.Load("../..", name)
		require.NoError(t, err)
		envs = append(envs, env)
	}
	return Expect(shared, envs)
}

func TestExpect(t *testing.T) {
	e := expected(t)
	require.Equal(t, []string{"balancer/v3-backend", "balancer/v3-backend-infra"}, e.Repositories)
	require.Equal(t, []ExpectedEnvironment{{"development", "develop", false}, {"staging", "staging", false}, {"production", "main", true}}, e.Environments)
	require.Equal(t, []string{"develop", "staging", "main"}, e.branches())

	// The production role trusts its environment before a file describes it.
	shared, err := environment.LoadShared("../..")
	require.NoError(t, err)
	require.Equal(t, []ExpectedEnvironment{{"development", "", false}, {"staging", "", false}, {"production", "", true}}, Expect(shared, nil).Environments)
}

// allowed returns an environment that only the branch may deploy.
func allowed(name string, branches ...string) GitHubEnvironment {
	e := GitHubEnvironment{Name: name, Policy: &BranchPolicy{Custom: true}}
	for i, branch := range branches {
		e.Patterns.Value = append(e.Patterns.Value, BranchPattern{ID: int64(100 + i), Name: branch, Type: "branch"})
	}
	return e
}

// reviewed returns an environment with a rule that requires reviewers.
func reviewed(e GitHubEnvironment, preventSelf bool, ids ...int64) GitHubEnvironment {
	rule := ProtectionRule{Type: "required_reviewers", PreventSelfReview: preventSelf}
	for _, id := range ids {
		r := Reviewer{Type: "Team"}
		r.Reviewer.ID = id
		rule.Reviewers = append(rule.Reviewers, r)
	}
	e.Rules = append(slices.Clone(e.Rules), rule)
	return e
}

// protected returns a repository whose settings are all as expected.
func protected(name string) Repository {
	rules := Answer[BranchRules]{Value: complete()}
	return Repository{
		Name: name, Info: Answer[RepositoryInfo]{Value: RepositoryInfo{Visibility: "public", DefaultBranch: "main"}},
		Environments: Answer[[]GitHubEnvironment]{Value: []GitHubEnvironment{
			allowed("development", "develop"), allowed("staging", "staging"), reviewed(allowed("production", "main"), true, 7),
		}},
		Subject:  Answer[SubjectTemplate]{Value: SubjectTemplate{UseDefault: true, Prefix: "repo:" + name}},
		Workflow: Answer[WorkflowPermissions]{Value: WorkflowPermissions{Default: "read"}},
		Offers:   Answer[bool]{Value: true}, Access: Answer[WorkflowAccess]{Value: WorkflowAccess{Level: "organization"}},
		Branches:    map[string]Answer[BranchRules]{"develop": rules, "staging": rules, "main": rules},
		TagRulesets: Answer[[]Ruleset]{Value: []Ruleset{blocking("refs/tags/main", "refs/tags/staging", "refs/tags/develop")}},
	}
}

// complete returns the rules of a branch that demand everything.
func complete() BranchRules {
	return BranchRules{Checks: []StatusCheck{{RequiredCheck, actionsApp}}, Approvals: 1, DismissStale: true, ApproveLastPush: true,
		NoForcePush: true, NoDeletion: true}
}

// blocking returns a ruleset that blocks the creation of tags.
func blocking(include ...string) Ruleset {
	t := Ruleset{Target: "tag", Enforcement: "active", Rules: []RulesetRule{{"deletion"}, {"creation"}}}
	t.Conditions.RefName.Include = include
	return t
}

const infraRepository = "balancer/v3-backend-infra"

// Each row changes one setting of a repository that is as expected, and has the only finding that is not healthy then.
func TestEvaluateGitHub(t *testing.T) {
	denied := &StatusError{403, "Must have admin rights to Repository."}
	setEnvironment := func(at int, e GitHubEnvironment) func(*Repository) {
		return func(r *Repository) { r.Environments.Value[at] = e }
	}
	private := func(plan string, and func(*Repository)) func(*Repository) {
		return func(r *Repository) {
			r.Info.Value.Visibility, r.Plan = "private", plan
			and(r)
		}
	}
	rules := func(branch string, rules BranchRules, err error) func(*Repository) {
		return func(r *Repository) { r.Branches[branch] = Answer[BranchRules]{rules, err} }
	}
	lacking := func(branch string, change func(*BranchRules)) func(*Repository) {
		incomplete := complete()
		change(&incomplete)
		return rules(branch, incomplete, nil)
	}
	tagRulesets := func(all ...Ruleset) func(*Repository) {
		return func(r *Repository) { r.TagRulesets.Value = all }
	}
	lint, unbound := []StatusCheck{{"lint", actionsApp}}, []StatusCheck{{RequiredCheck, 0}}
	excluding := blocking("~ALL")
	excluding.Conditions.RefName.Exclude = []string{"refs/tags/ma*"}
	administered, maintained := blocking("~ALL"), blocking("~ALL")
	administered.Bypass = []BypassActor{{adminRole, "RepositoryRole"}, {1, "OrganizationAdmin"}}
	maintained.Bypass = append(slices.Clone(administered.Bypass), BypassActor{2, "RepositoryRole"})
	evaluated, ofBranches, updates := blocking("~ALL"), blocking("~ALL"), blocking("~ALL")
	evaluated.Enforcement, ofBranches.Target, updates.Rules = "evaluate", "branch", []RulesetRule{{"update"}}
	unreviewed := setEnvironment(2, allowed("production", "main"))
	timed := allowed("staging", "develop")
	timed.Rules = []ProtectionRule{{Type: "wait_timer", WaitTimer: 30}, {Type: "branch_policy"}}
	tag := allowed("staging", "staging")
	tag.Patterns.Value[0].Type = "tag"
	for name, test := range map[string]struct {
		change        func(*Repository)
		subject       string
		status        checks.Status
		message, hint string
	}{
		"no environment": {func(r *Repository) { r.Environments.Value = r.Environments.Value[1:] },
			"environment development", checks.Error, "creates it without any protection when a workflow names it",
			`echo '{"deployment_branch_policy":{"protected_branches":false,"custom_branch_policies":true}}' | gh api --method PUT repos/balancer/v3-backend-infra/environments/development --input -` +
				"\ngh api --method POST repos/balancer/v3-backend-infra/environments/development/deployment-branch-policies -f name=develop"},
		"no environment in a private repository of a free plan": {private("free", func(r *Repository) { r.Environments.Value = r.Environments.Value[1:] }),
			"environment development", checks.Error, "private repositories have environments from GitHub Pro or Team on", "gh api --method PUT"},
		"environments unreadable": {func(r *Repository) { r.Environments = Answer[[]GitHubEnvironment]{Err: errors.New("timeout")} },
			"environment staging", checks.Unknown, "the environments could not be read: timeout", adminHint},
		"every branch": {setEnvironment(1, GitHubEnvironment{Name: "Staging"}),
			"environment staging", checks.Error, "every branch may deploy it, and with that assume the role that it has in the account; only the branch staging should",
			"gh api --method POST repos/balancer/v3-backend-infra/environments/staging/deployment-branch-policies -f name=staging"},
		"every protected branch": {setEnvironment(1, GitHubEnvironment{Name: "staging", Policy: &BranchPolicy{Protected: true}}),
			"environment staging", checks.Warning, "every branch with protection rules may deploy it", "gh api --method PUT"},
		"another branch too": {setEnvironment(1, allowed("staging", "staging", "feature/*")),
			"environment staging", checks.Error, "deployments are possible from feature/*; only the branch staging should deploy it",
			"gh api --method DELETE repos/balancer/v3-backend-infra/environments/staging/deployment-branch-policies/101"},
		"another branch instead": {setEnvironment(1, timed), "environment staging", checks.Error, "deployments are possible from develop;",
			"gh api --method POST repos/balancer/v3-backend-infra/environments/staging/deployment-branch-policies -f name=staging\n" +
				"gh api --method DELETE repos/balancer/v3-backend-infra/environments/staging/deployment-branch-policies/100"},
		"a tag of the branch's name": {setEnvironment(1, tag), "environment staging", checks.Error, "deployments are possible from tag staging;", "-f name=staging\n"},
		"no branch":                  {setEnvironment(1, allowed("staging")), "environment staging", checks.Error, "no branch may deploy it; the branch staging should", "-f name=staging"},
		"branches unreadable": {setEnvironment(1, GitHubEnvironment{Name: "staging", Policy: &BranchPolicy{Custom: true}, Patterns: Answer[[]BranchPattern]{Err: denied}}),
			"environment staging", checks.Unknown, `could not be read: GitHub answers "Must have admin rights to Repository." (HTTP 403)`, adminHint},

		"no reviewers": {unreviewed, "environment production reviewers", checks.Error, "no one has to approve a deployment",
			"TEAM_ID=$(gh api orgs/balancer/teams/TEAM --jq .id)\n" +
				`echo '{"prevent_self_review":true,"reviewers":[{"type":"Team","id":'"$TEAM_ID"'}],"deployment_branch_policy":{"protected_branches":false,"custom_branch_policies":true}}'`},
		"an empty list of reviewers": {setEnvironment(2, reviewed(allowed("production", "main"), true)), "environment production reviewers", checks.Error, "no one has to approve", "TEAM_ID="},
		"own review": {setEnvironment(2, reviewed(allowed("production", "main"), false, 7, 8)), "environment production reviewers", checks.Warning,
			"who starts a deployment may approve it as well", `"prevent_self_review":true,"reviewers":[{"type":"Team","id":7},{"type":"Team","id":8}]`},
		"no reviewers in a private repository of an unknown plan": {private("", unreviewed), "environment production reviewers", checks.Error,
			"no one has to approve a deployment; in a private repository required reviewers need GitHub Enterprise", "gh api --method POST repos/balancer/v3-backend-infra/rulesets"},
		"no reviewers with Enterprise": {private("enterprise", unreviewed), "environment production reviewers", checks.Error, "no one has to approve a deployment", "gh api --method PUT"},
		"no reviewers without Enterprise": {private("team", func(r *Repository) {
			unreviewed(r)
			rules("main", BranchRules{Checks: unbound}, nil)(r)
		}), "environment production reviewers", checks.Error, "and pull requests to main need no approval either", `"type":"pull_request"`},
		"no reviewers without Enterprise, protection unreadable": {private("team", func(r *Repository) {
			unreviewed(r)
			rules("main", BranchRules{Checks: unbound, Unread: denied}, nil)(r)
		}), "environment production reviewers", checks.Unknown, "the protection of main, which could replace them, could not be read", adminHint},

		"another template": {func(r *Repository) { r.Subject.Value = SubjectTemplate{Claims: []string{"repo", "job_workflow_ref"}} },
			"OIDC subject", checks.Error, "it is composed of the claims repo, job_workflow_ref", "gh api --method PUT repos/balancer/v3-backend-infra/actions/oidc/customization/sub -F use_default=true"},
		"the organization's template": {func(r *Repository) { r.Subject.Value = SubjectTemplate{} }, "OIDC subject", checks.Error, "it is composed of the organization's template", "use_default=true"},
		"immutable form": {func(r *Repository) { r.Subject.Value.Prefix = "repo:balancer@1/v3-backend-infra@2" }, "OIDC subject", checks.Error,
			"it begins with repo:balancer@1/v3-backend-infra@2; the roles trust repo:balancer/v3-backend and repo:balancer/v3-backend-infra",
			`write "balancer@1/v3-backend-infra@2" to github.repositories in Pulumi.shared.yaml, then run`},
		"no prefix":          {func(r *Repository) { r.Subject.Value.Prefix = "" }, "OIDC subject", checks.Warning, "GitHub did not return how it begins", "compare"},
		"subject unreadable": {func(r *Repository) { r.Subject.Err = denied }, "OIDC subject", checks.Unknown, "could not be read", adminHint},

		"tokens that write": {func(r *Repository) { r.Workflow.Value.Default = "write" }, "workflow permissions", checks.Warning,
			"a workflow that lists no permissions may write the repository", "gh api --method PUT repos/balancer/v3-backend-infra/actions/permissions/workflow -f default_workflow_permissions=read -F can_approve_pull_request_reviews=false"},
		"workflows that approve": {func(r *Repository) { r.Workflow.Value.CanApprove = true }, "workflow permissions", checks.Error,
			"a workflow may approve pull requests", "-F can_approve_pull_request_reviews=false"},
		"permissions unreadable": {func(r *Repository) { r.Workflow.Err = denied }, "workflow permissions", checks.Unknown, "could not be read", adminHint},

		"no access": {private("enterprise", func(r *Repository) { r.Access.Value.Level = "none" }), "access to workflows", checks.Error,
			"no other repository may call deploy-code.yml", "gh api --method PUT repos/balancer/v3-backend-infra/actions/permissions/access -f access_level=organization"},
		"no access to a user's repository": {private("pro", func(r *Repository) { r.Access.Value.Level, r.Info.Value.Owner.Type = "none", "User" }), "access to workflows", checks.Error,
			"no other repository", "access_level=user"},
		"access unreadable": {private("", func(r *Repository) { r.Access.Err = denied }), "access to workflows", checks.Unknown, "could not be read", adminHint},

		"no check": {lacking("develop", func(b *BranchRules) { b.Checks = nil }), "branch develop", checks.Error, "without having passed the job check of ci.yml",
			`"required_status_checks":[{"context":"check","integration_id":15368}]`},
		"another check": {lacking("staging", func(b *BranchRules) { b.Checks = lint }), "branch staging", checks.Error, "without having passed", "rulesets"},
		"a check that anyone reports": {lacking("staging", func(b *BranchRules) { b.Checks = unbound }), "branch staging", checks.Warning,
			"its rules lack the required check check from GitHub Actions alone", `"name":"staging: reviewed and checked"`},
		"no review of another environment": {lacking("develop", func(b *BranchRules) { b.Approvals = 0 }), "branch develop", checks.Warning,
			"its rules lack pull requests with an approval", `"required_approving_review_count":1`},
		"anyone may push production's branch": {rules("main", BranchRules{}, nil), "branch main", checks.Error,
			"production is deployed from it, and its rules lack pull requests with an approval, the dismissal of approvals by a push, the approval of the last push by another person, " +
				"a block of force pushes, a block of deletions, the required check check from GitHub Actions alone", "gh api --method POST"},
		"production without reviews": {lacking("main", func(b *BranchRules) { b.Approvals = 0 }), "branch main", checks.Error,
			"its rules lack pull requests with an approval", `"required_approving_review_count":1`},
		"production with stale reviews": {lacking("main", func(b *BranchRules) { b.DismissStale = false }), "branch main", checks.Error,
			"its rules lack the dismissal of approvals by a push", `"dismiss_stale_reviews_on_push":true`},
		"production with a last push of the author's": {lacking("main", func(b *BranchRules) { b.ApproveLastPush = false }), "branch main", checks.Error,
			"its rules lack the approval of the last push by another person", `"require_last_push_approval":true`},
		"production with rules that a team bypasses": {rules("main", BranchRules{Bypassed: []string{"reviews", "checks"}}, nil), "branch main", checks.Error,
			"from GitHub Actions alone; not counted, since others than administrators may bypass it: reviews, checks", "gh api --method POST"},
		"production with force pushes": {lacking("main", func(b *BranchRules) { b.NoForcePush = false }), "branch main", checks.Error,
			"its rules lack a block of force pushes", `{"type":"non_fast_forward"}`},
		"production's branch may be deleted": {lacking("main", func(b *BranchRules) { b.NoDeletion = false }), "branch main", checks.Error,
			"its rules lack a block of deletions", `{"type":"deletion"}`},
		"production with a check that anyone reports": {lacking("main", func(b *BranchRules) { b.Checks = unbound }), "branch main", checks.Error,
			"production is deployed from it, and its rules lack the required check check from GitHub Actions alone", "15368"},
		"rules unreadable":      {rules("staging", BranchRules{}, denied), "branch staging", checks.Unknown, "its rules could not be read", adminHint},
		"protection unreadable": {rules("staging", BranchRules{Checks: lint, Unread: denied}, nil), "branch staging", checks.Unknown, "its protection could not be read", adminHint},
		"no check of the application's": {func(r *Repository) {
			r.Offers.Value = false
			lacking("staging", func(b *BranchRules) { b.Checks = nil })(r)
		}, "branch staging", checks.Error, "without having passed a check", `"context":"CHECK"`},

		"a check of the application's that anyone reports": {func(r *Repository) {
			r.Offers.Value = false
			lacking("main", func(b *BranchRules) { b.Checks = []StatusCheck{{"unit", 0}} })(r)
		}, "branch main", checks.Error, "its rules lack a required check from one app alone", `"context":"CHECK"`},

		"another default branch": {func(r *Repository) { r.Info.Value.DefaultBranch = "develop" }, "default branch", checks.Warning,
			"it is develop, and not main, from which production is deployed: the jobs of production restore caches that jobs of develop wrote",
			"gh api --method PATCH repos/balancer/v3-backend-infra -f default_branch=main"},

		"no ruleset for tags": {tagRulesets(), "tags", checks.Error, "anyone who may write the repository can create the tags develop, staging, main; a workflow that calls deploy-code.yml",
			`"include":["refs/tags/develop","refs/tags/staging","refs/tags/main"]`},
		"a tag of another environment":            {tagRulesets(blocking("refs/tags/main", "refs/tags/develop")), "tags", checks.Warning, "create the tags staging;", `"target":"tag"`},
		"a ruleset for other tags":                {tagRulesets(blocking("refs/tags/v*")), "tags", checks.Error, "create the tags develop, staging, main", `"rules":[{"type":"creation"}]`},
		"a ruleset for tags with an exclusion":    {tagRulesets(excluding), "tags", checks.Error, "create the tags main;", "rulesets"},
		"a ruleset for tags that is not in force": {tagRulesets(evaluated), "tags", checks.Error, "create the tags", "rulesets"},
		"a ruleset for tags that maintainers bypass": {tagRulesets(blocking("refs/tags/develop"), maintained), "tags", checks.Error,
			"create the tags staging, main;", "rulesets"},
		"a tag of another environment, bypass of administrators": {func(r *Repository) {
			tagRulesets(administered)(r)
			r.Tags.Value = []string{"staging"}
		}, "tags", checks.Warning, "the tag staging exists; a workflow", "DELETE"},
		"a ruleset for branches":            {tagRulesets(ofBranches), "tags", checks.Error, "create the tags", "rulesets"},
		"a ruleset that blocks moving tags": {tagRulesets(updates), "tags", checks.Error, "create the tags", "rulesets"},
		"a tag of production's branch": {func(r *Repository) { r.Tags.Value = []string{"main"} }, "tags", checks.Error, "the tag main exists; a workflow that calls",
			"gh api --method DELETE repos/balancer/v3-backend-infra/git/refs/tags/main"},
		"tags unreadable":                  {func(r *Repository) { r.Tags.Err = denied }, "tags", checks.Unknown, "could not be read", adminHint},
		"rulesets of tags unreadable":      {func(r *Repository) { r.TagRulesets.Err = denied }, "tags", checks.Unknown, "could not be read", adminHint},
		"the workflow may not be readable": {func(r *Repository) { r.Offers = Answer[bool]{Err: denied} }, "branch main", checks.Unknown, "whether the repository has deploy-code.yml", adminHint},
	} {
		t.Run(name, func(t *testing.T) {
			r := protected(infraRepository)
			test.change(&r)
			var found []Finding
			for _, f := range expected(t).Evaluate(r) {
				if f.Subject == infraRepository+" "+test.subject {
					found = append(found, f)
				} else if f.Status != checks.Healthy {
					require.Regexp(t, "unreadable|may not be readable|without Enterprise", name, "%v", f) // what concerns several
				}
			}
			require.Len(t, found, 1)
			require.Equal(t, test.status, found[0].Status, found[0].Message)
			require.Contains(t, found[0].Message, test.message)
			require.Contains(t, found[0].Hint, test.hint)
		})
	}
}

// What is as expected is healthy, also where something replaces required reviewers.
func TestEvaluateProtectedRepositories(t *testing.T) {
	for name, change := range map[string]func(*Repository){
		"public":                  func(*Repository) {},
		"private with Enterprise": func(r *Repository) { r.Info.Value.Visibility, r.Plan = "private", "enterprise" },
		"reviews instead of reviewers": func(r *Repository) {
			r.Info.Value.Visibility, r.Plan, r.Environments.Value[2] = "private", "team", allowed("production", "main")
		},
		"checks of the application itself": func(r *Repository) {
			r.Offers.Value = false
			r.TagRulesets.Value = nil
			r.Branches["main"].Value.Checks[0] = StatusCheck{"unit", 7}
		},
		"every tag blocked": func(r *Repository) { r.TagRulesets.Value = []Ruleset{blocking("~ALL")} },
		"patterns of tags": func(r *Repository) {
			r.TagRulesets.Value = []Ruleset{blocking("refs/tags/v*"), blocking("refs/tags/**/*")}
		},
		"several tag rulesets": func(r *Repository) {
			r.TagRulesets.Value = []Ruleset{blocking("refs/tags/main"), blocking("refs/tags/[ds]*")}
		},
		"rulesets that suffice": func(r *Repository) {
			main := complete()
			main.Unread = errors.New("denied")
			r.Branches["main"] = Answer[BranchRules]{Value: main}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := protected(infraRepository)
			change(&r)
			for _, f := range expected(t).Evaluate(r) {
				require.Equal(t, checks.Healthy, f.Status, "%v", f)
				require.Empty(t, f.Hint)
			}
		})
	}
	shared, err := environment.LoadShared("../..")
	require.NoError(t, err)
	r := protected(infraRepository)
	r.Environments.Value[1] = allowed("staging")
	undescribed := Expect(shared, nil).Evaluate(r)
	require.Equal(t, "deployments are possible from develop; a role of the account trusts it, and no file describes it", undescribed[0].Message)
	require.Equal(t, checks.Warning, undescribed[0].Status)
	require.Equal(t, "no branch may deploy it, and no file describes it", undescribed[1].Message)
	r = protected(infraRepository)
	r.Subject.Value = SubjectTemplate{Claims: []string{"repo\x1b[2J\n::error::forged"}}
	for _, f := range expected(t).Evaluate(r) {
		require.NotContains(t, f.Message, "\x1b")
		require.NotContains(t, f.Message, "\n")
	}
	r = protected(infraRepository)
	r.Environments.Value[0].Rules = []ProtectionRule{{Type: "wait_timer", WaitTimer: 30}}
	require.Equal(t, "deployments from develop only, after a wait of 30 min", expected(t).Evaluate(r)[0].Message)
	for code, status := range map[int]checks.Status{404: checks.Error, 500: checks.Unknown} {
		found := expected(t).Evaluate(Repository{Name: "a/b", Info: Answer[RepositoryInfo]{Err: &StatusError{code, "no"}}})
		require.Len(t, found, 1)
		require.Equal(t, status, found[0].Status)
		require.NotEmpty(t, found[0].Hint)
	}
}

// The commands of hints run in a shell, and pass gh the body that GitHub documents.
func TestCommandsOfHints(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gh"), []byte("#!/bin/sh\ncase \"$*\" in *teams*) echo 42;; *--input*) echo \"$@\"; cat;; *) echo \"$@\";; esac\n"), 0o755))
	run := func(script string) []string {
		cmd := exec.Command("sh", "-euc", script)
		cmd.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		out, err := cmd.Output()
		require.NoError(t, err, script)
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
	printed := run(expected(t).Commands(infraRepository)[2])
	require.Equal(t, "api --method PUT repos/balancer/v3-backend-infra/environments/production --input -", printed[0])
	require.JSONEq(t, `{"prevent_self_review": true, "reviewers": [{"type": "Team", "id": 42}], "deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}}`, printed[1])
	require.Equal(t, "api --method POST repos/balancer/v3-backend-infra/environments/production/deployment-branch-policies -f name=main", printed[2])

	printed = run(protected(infraRepository).ruleset("it's"))
	require.Equal(t, "api --method POST repos/balancer/v3-backend-infra/rulesets --input -", printed[0])
	require.JSONEq(t, `{"name": "it's: reviewed and checked", "target": "branch", "enforcement": "active",
		"conditions": {"ref_name": {"include": ["refs/heads/it's"], "exclude": []}},
		"rules": [{"type": "deletion"}, {"type": "non_fast_forward"},
			{"type": "pull_request", "parameters": {"required_approving_review_count": 1, "require_last_push_approval": true,
				"dismiss_stale_reviews_on_push": true, "require_code_owner_review": false, "required_review_thread_resolution": false}},
			{"type": "required_status_checks", "parameters": {"strict_required_status_checks_policy": false,
				"required_status_checks": [{"context": "check", "integration_id": 15368}]}}]}`, printed[1])
	// What the commands create is what the evaluations demand.
	var created Ruleset
	printed = run(protected(infraRepository).tagRuleset([]string{"main", "it's"}))
	require.Equal(t, "api --method POST repos/balancer/v3-backend-infra/rulesets --input -", printed[0])
	require.NoError(t, json.Unmarshal([]byte(printed[1]), &created))
	require.Equal(t, []bool{true, true, false}, []bool{created.blocks("main"), created.blocks("it's"), created.blocks("v1")})
	for command, change := range map[string]func(*Repository){
		"api --method PATCH repos/balancer/v3-backend-infra -f default_branch=main":                                                                                    func(r *Repository) { r.Info.Value.DefaultBranch = "x" },
		"api --method DELETE repos/balancer/v3-backend-infra/git/refs/tags/main":                                                                                       func(r *Repository) { r.Tags.Value = []string{"main"} },
		"api --method PUT repos/balancer/v3-backend-infra/actions/permissions/workflow -f default_workflow_permissions=read -F can_approve_pull_request_reviews=false": func(r *Repository) { r.Workflow.Value.CanApprove = true },
	} {
		r := protected(infraRepository)
		change(&r)
		for _, f := range expected(t).Evaluate(r) {
			if f.Status != checks.Healthy {
				require.Equal(t, []string{command}, run(f.Hint))
			}
		}
	}
	require.Equal(t, "-f name=a b;c", strings.Join(strings.Fields(run(Repository{Name: "a/b"}.allowBranch(ExpectedEnvironment{Name: "x", Branch: "a b;c"}))[0])[4:], " "))
}

// fakeGitHub puts a gh on PATH that answers by path: a file of answers, else 404.
func fakeGitHub(t *testing.T, loggedIn bool, answers map[string]string) {
	t.Helper()
	dir := t.TempDir()
	script := "#!/bin/sh\nif [ \"$1\" = auth ]; then exit " + map[bool]string{true: "0", false: "1"}[loggedIn] + "; fi\n" +
		"[ \"$1 $2 $3\" = 'api --hostname github.com' ] || exit 9\ncase \"$4\" in\n"
	for path, answer := range answers {
		if status, refused := strings.CutPrefix(answer, "HTTP "); refused {
			code, message, _ := strings.Cut(status, " ")
			script += fmt.Sprintf("'%s') echo '{}'; echo 'gh: %s (HTTP %s)' >&2; exit 1;;\n", path, message, code)
			continue
		}
		script += fmt.Sprintf("'%s') echo '%s';;\n", path, answer)
	}
	script += "*) echo '{\"message\": \"Not Found\"}'; echo 'gh: Not Found (HTTP 404)' >&2; exit 1;;\nesac\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "gh"), []byte(script), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestReadGitHub(t *testing.T) {
	fakeGitHub(t, true, map[string]string{
		"repos/o/r":   `{"visibility": "private", "default_branch": "trunk", "owner": {"type": "Organization"}}`,
		"orgs/o":      `{"plan": {"name": "team"}}`,
		"repos/o/app": `{"visibility": "public"}`,
		"repos/o/up":  `{"visibility": "public", "owner": {"type": "User"}}`,
		"repos/o/r/environments?per_page=100": `{"total_count": 2, "environments": [
			{"name": "production", "protection_rules": [{"type": "wait_timer", "wait_timer": 5}, {"type": "required_reviewers", "prevent_self_review": true,
				"reviewers": [{"type": "User", "reviewer": {"id": 12, "login": "x"}}]}, {"type": "branch_policy"}],
				"deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}},
			{"name": "open", "protection_rules": [], "deployment_branch_policy": null}]}`,
		"repos/o/r/environments/production/deployment-branch-policies?per_page=100": `{"branch_policies": [{"id": 3, "name": "main", "type": "branch"}]}`,
		"repos/o/r/actions/oidc/customization/sub":                                  `{"use_default": true, "use_immutable_subject": true, "sub_claim_prefix": "repo:o@1/r@2"}`,
		"repos/o/r/actions/permissions/workflow":                                    `{"default_workflow_permissions": "write", "can_approve_pull_request_reviews": true}`,
		"repos/o/r/actions/workflows/deploy-code.yml":                               `{"id": 1}`,
		"repos/o/r/actions/permissions/access":                                      `{"access_level": "none"}`,
		"repos/o/r/rules/branches/main?per_page=100": `[{"type": "deletion", "ruleset_id": 1}, {"type": "non_fast_forward", "ruleset_id": 1},
			{"type": "pull_request", "parameters": {"required_approving_review_count": 2, "dismiss_stale_reviews_on_push": true, "require_last_push_approval": false}, "ruleset_id": 1},
			{"type": "pull_request", "parameters": {"required_approving_review_count": 0, "dismiss_stale_reviews_on_push": false, "require_last_push_approval": true}, "ruleset_id": 2},
			{"type": "pull_request", "parameters": {"required_approving_review_count": 6}, "ruleset_id": 3},
			{"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": "check", "integration_id": 15368}, {"context": "lint"}]}, "ruleset_id": 2}]`,
		"repos/o/r/rulesets/1":                           `{"id": 1, "name": "one", "bypass_actors": []}`,
		"repos/o/r/rulesets/2":                           `{"id": 2, "name": "two", "bypass_actors": [{"actor_id": 1, "actor_type": "OrganizationAdmin", "bypass_mode": "always"}]}`,
		"repos/o/r/rulesets/3":                           `{"id": 3, "name": "three", "bypass_actors": [{"actor_id": 4, "actor_type": "RepositoryRole", "bypass_mode": "always"}]}`,
		"repos/o/r/rules/branches/bypassed?per_page=100": `[{"type": "deletion", "ruleset_id": 9}]`,
		"repos/o/r/branches/bypassed/protection": `{"required_pull_request_reviews": {"required_approving_review_count": 1, "dismiss_stale_reviews": true,
			"bypass_pull_request_allowances": {"users": [], "teams": [{"id": 1}], "apps": []}}}`,
		"repos/o/r/branches/main/protection":                "HTTP 404 Branch not protected",
		"repos/o/r/rules/branches/feature%2Fx?per_page=100": "[]",
		"repos/o/r/branches/feature%2Fx/protection": `{"required_status_checks": {"contexts": ["lint", "check"], "checks": [{"context": "lint", "app_id": null}, {"context": "check", "app_id": 15368}]},
			"required_pull_request_reviews": {"required_approving_review_count": 1, "dismiss_stale_reviews": true, "require_last_push_approval": true},
			"allow_force_pushes": {"enabled": true}, "allow_deletions": {"enabled": false}}`,
		"repos/o/r/git/ref/tags/feature/x":             `{"ref": "refs/tags/feature/x"}`,
		"repos/o/r/rulesets?targets=tag&per_page=100":  `[{"id": 4, "name": "tags", "target": "tag", "enforcement": "active"}]`,
		"repos/o/r/rulesets/4":                         `{"id": 4, "target": "tag", "enforcement": "active", "conditions": {"ref_name": {"include": ["refs/tags/main"], "exclude": []}}, "rules": [{"type": "creation"}], "bypass_actors": []}`,
		"repos/o/up/actions/workflows/deploy-code.yml": `{"id": 1}`,
		"repos/o/up/git/ref/tags/main":                 "HTTP 500 oops",
		"repos/o/up/rulesets?targets=tag&per_page=100": `[{"id": 5}]`,
	})
	g, err := FindGitHub(t.Context())
	require.NoError(t, err)
	e := Expected{Repositories: []string{"o/r", "o/up", "o/app", "o/gone"}, Environments: []ExpectedEnvironment{{Name: "production", Branch: "main"}, {Name: "x", Branch: "feature/x"}, {Name: "y", Branch: "bypassed"}}}
	found := g.Read(t.Context(), e)

	r := found[0]
	require.Equal(t, []string{"o/r", "private", "team", "Organization"}, []string{r.Name, r.Info.Value.Visibility, r.Plan, r.Info.Value.Owner.Type})
	require.Len(t, r.Environments.Value, 2)
	production := r.Environments.Value[0]
	require.Equal(t, []BranchPattern{{3, "main", "branch"}}, production.Patterns.Value)
	require.Equal(t, 5, production.rule("wait_timer").WaitTimer)
	require.True(t, production.rule("required_reviewers").PreventSelfReview)
	require.Equal(t, int64(12), production.rule("required_reviewers").Reviewers[0].Reviewer.ID)
	require.Nil(t, r.Environments.Value[1].Policy)
	require.Equal(t, SubjectTemplate{UseDefault: true, Prefix: "repo:o@1/r@2"}, r.Subject.Value)
	require.Equal(t, "trunk", r.Info.Value.DefaultBranch)
	require.Equal(t, WorkflowPermissions{Default: "write", CanApprove: true}, r.Workflow.Value)
	require.Equal(t, "none", r.Access.Value.Level)
	require.True(t, r.Offers.Value)
	require.Equal(t, BranchRules{NoDeletion: true, NoForcePush: true, Bypassed: []string{"the reviews of the branch's protection"}}, r.Branches["bypassed"].Value)
	require.True(t, isStatus(r.Branches["bypassed"].Err, 404), "a ruleset that cannot be read")
	delete(r.Branches, "bypassed")
	require.Equal(t, map[string]Answer[BranchRules]{
		"main": {Value: BranchRules{Checks: []StatusCheck{{"check", actionsApp}, {"lint", 0}}, Approvals: 2, DismissStale: true, ApproveLastPush: true,
			NoForcePush: true, NoDeletion: true, Bypassed: []string{"three"}}},
		"feature/x": {Value: BranchRules{Checks: []StatusCheck{{"lint", 0}, {"check", actionsApp}}, Approvals: 1, DismissStale: true, ApproveLastPush: true,
			NoDeletion: true}},
	}, r.Branches)
	require.Equal(t, Answer[[]string]{Value: []string{"feature/x"}}, r.Tags)
	require.NoError(t, r.TagRulesets.Err)
	require.True(t, r.TagRulesets.Value[0].blocks("main"))

	// What is not answered is unknown, but for the workflow that a repository does not have.
	require.NoError(t, found[1].Info.Err)
	require.True(t, isStatus(found[1].Environments.Err, 404))
	require.Equal(t, Answer[bool]{}, found[2].Offers)
	require.True(t, isStatus(found[1].Tags.Err, 500))
	require.ErrorContains(t, found[1].TagRulesets.Err, "HTTP 404")
	require.True(t, isStatus(found[1].Branches["main"].Err, 404))
	require.ErrorContains(t, found[1].Branches["main"].Value.Unread, `GitHub answers "Not Found" (HTTP 404)`)
	require.True(t, isStatus(found[3].Info.Err, 404))
}

func TestFindGitHub(t *testing.T) {
	fakeGitHub(t, false, nil)
	_, err := FindGitHub(t.Context())
	require.EqualError(t, err, "gh is not logged in to github.com")
	t.Setenv("PATH", t.TempDir())
	_, err = FindGitHub(t.Context())
	require.EqualError(t, err, "gh is not on PATH")
}

// The check that branches have to demand is a job of ci.yml, which pushes and pull requests start, and the reusable workflow exists.
func TestTheWorkflowsExist(t *testing.T) {
	content, err := os.ReadFile("../../.github/workflows/ci.yml")
	require.NoError(t, err)
	var ci struct {
		Jobs map[string]struct {
			Name string `yaml:"name"`
		} `yaml:"jobs"`
	}
	require.NoError(t, yaml.Unmarshal(content, &ci))
	require.Contains(t, ci.Jobs, RequiredCheck)
	require.Empty(t, ci.Jobs[RequiredCheck].Name, "the context of a status check is the job's name")
	require.FileExists(t, "../../.github/workflows/"+deployWorkflow)
}

// A ruleset that anyone may bypass cannot be distinguished by an account that is not shown who.
func TestHiddenBypassIsAnError(t *testing.T) {
	fakeGitHub(t, true, map[string]string{"repos/o/r/rulesets/1": `{"id": 1, "name": "one"}`, "repos/o/r/rulesets/2": `{"id": 2, "bypass_actors": []}`})
	g, err := FindGitHub(t.Context())
	require.NoError(t, err)
	_, err = g.rulesets(t.Context(), "o/r", []int64{1, 2})
	require.EqualError(t, err, "GitHub does not show this account who may bypass the ruleset one")
}
