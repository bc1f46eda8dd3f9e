package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/balancer/v3-backend-infra/checks"
	"github.com/balancer/v3-backend-infra/environment"
	"github.com/balancer/v3-backend-infra/internal/list"
	"github.com/balancer/v3-backend-infra/internal/text"
)

// RequiredCheck is the job of ci.yml that a commit has to pass before it is deployed.
const RequiredCheck = "check"

// actionsApp is the number of GitHub Actions among GitHub's apps. A required check that is not bound to an app passes as soon as
// anyone who may write the repository reports it.
// Source: https://api.github.com/apps/github-actions
const actionsApp = 15368

// productionEnvironment is the GitHub environment that the production role trusts, whether or not an environment's file has the name.
const productionEnvironment = "production"

// Expected is what the account's roles, and the files of the environments, require of GitHub.
type Expected struct {
	// Repositories are OWNER/NAME of those that the roles trust.
	Repositories []string
	// Subjects are the entries of github.repositories: what the roles trust between "repo:" and the next colon.
	Subjects     []string
	Environments []ExpectedEnvironment
}

// ExpectedEnvironment is a GitHub environment that a role trusts.
type ExpectedEnvironment struct {
	Name string
	// Branch is the only one that may deploy it; "" where no file describes the environment.
	Branch string
	// Approval requires a review before a deployment.
	Approval bool
}

// Expect returns what the shared stack and the environments require of GitHub.
func Expect(shared *environment.Shared, envs []*environment.Environment) Expected {
	e := Expected{Repositories: shared.GitHub.RepositoryNames(), Subjects: shared.GitHub.Repositories}
	for _, name := range append(slices.Clone(shared.GitHub.Environments), productionEnvironment) {
		one := ExpectedEnvironment{Name: name, Approval: name == productionEnvironment}
		if env := list.Find(envs, func(env *environment.Environment) bool { return env.Name == name }); env != nil {
			one.Branch, one.Approval = (*env).Delivery.Branch, (*env).Delivery.Approval
		}
		e.Environments = append(e.Environments, one)
	}
	return e
}

// branches returns each branch that deploys, once.
func (e Expected) branches() []string {
	var names []string
	for _, env := range e.Environments {
		if env.Branch != "" && !slices.Contains(names, env.Branch) {
			names = append(names, env.Branch)
		}
	}
	return names
}

// approvedFrom returns the environments that demand approval and are deployed from a branch.
func (e Expected) approvedFrom(branch string) []string {
	approved := list.Filter(e.Environments, func(env ExpectedEnvironment) bool { return env.Approval && env.Branch == branch })
	return list.Map(approved, func(env ExpectedEnvironment) string { return env.Name })
}

// production returns the branch that production is deployed from; "" where no file describes production.
func (e Expected) production() string {
	isProduction := func(env ExpectedEnvironment) bool { return env.Name == productionEnvironment }
	if env := list.Find(e.Environments, isProduction); env != nil {
		return env.Branch
	}
	return ""
}

// Answer is what GitHub answered, or why it did not.
type Answer[T any] struct {
	Value T
	Err   error
}

// Repository is what GitHub answers about a repository. Source: https://docs.github.com/en/rest
type Repository struct {
	// Name is OWNER/NAME.
	Name string
	Info Answer[RepositoryInfo]
	// Plan is the plan of the owner, such as team or enterprise. GitHub shows it to owners only; "" where it is unknown.
	Plan         string
	Environments Answer[[]GitHubEnvironment]
	Subject      Answer[SubjectTemplate]
	Workflow     Answer[WorkflowPermissions]
	// Offers reports whether the repository has the reusable workflow that others call; Access is who may call it.
	Offers Answer[bool]
	Access Answer[WorkflowAccess]
	// Branches are the rules of those that deploy.
	Branches map[string]Answer[BranchRules]
	// Tags are those that have the name of a branch that deploys; TagRulesets are the rulesets for tags. Both are read where the
	// repository has the reusable workflow.
	Tags        Answer[[]string]
	TagRulesets Answer[[]Ruleset]
}

// RepositoryInfo describes a repository. Source: https://docs.github.com/en/rest/repos/repos#get-a-repository
type RepositoryInfo struct {
	// Visibility is public, private or internal.
	Visibility    string `json:"visibility"`
	DefaultBranch string `json:"default_branch"`
	Owner         struct {
		// Type is Organization or User.
		Type string `json:"type"`
	} `json:"owner"`
}

// GitHubEnvironment is an environment of a repository.
// Source: https://docs.github.com/en/rest/deployments/environments#list-environments
type GitHubEnvironment struct {
	Name  string           `json:"name"`
	Rules []ProtectionRule `json:"protection_rules"`
	// Policy is nil where every branch may deploy.
	Policy *BranchPolicy `json:"deployment_branch_policy"`
	// Patterns are those of a custom policy; they are read by themselves.
	Patterns Answer[[]BranchPattern] `json:"-"`
}

// ProtectionRule is a rule of an environment: required_reviewers, wait_timer or branch_policy.
type ProtectionRule struct {
	Type string `json:"type"`
	// WaitTimer is in minutes.
	WaitTimer         int        `json:"wait_timer"`
	PreventSelfReview bool       `json:"prevent_self_review"`
	Reviewers         []Reviewer `json:"reviewers"`
}

// Reviewer is a user or a team.
type Reviewer struct {
	Type     string `json:"type"`
	Reviewer struct {
		ID int64 `json:"id"`
	} `json:"reviewer"`
}

// BranchPolicy limits the branches that may deploy to those with protection rules, or to patterns.
type BranchPolicy struct {
	Protected bool `json:"protected_branches"`
	Custom    bool `json:"custom_branch_policies"`
}

// BranchPattern is a pattern of branches or tags that may deploy.
// Source: https://docs.github.com/en/rest/deployments/branch-policies
type BranchPattern struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	// Type is branch or tag; "" is branch.
	Type string `json:"type"`
}

// SubjectTemplate is how the subjects of a repository's OIDC tokens are composed.
// Source: https://docs.github.com/en/rest/actions/oidc
type SubjectTemplate struct {
	UseDefault bool     `json:"use_default"`
	Claims     []string `json:"include_claim_keys"`
	// Prefix begins a subject, such as repo:OWNER@ID/NAME@ID.
	Prefix string `json:"sub_claim_prefix"`
}

// WorkflowPermissions are those of a job's token where the workflow lists none.
// Source: https://docs.github.com/en/rest/actions/permissions#get-default-workflow-permissions-for-a-repository
type WorkflowPermissions struct {
	// Default is read or write.
	Default string `json:"default_workflow_permissions"`
	// CanApprove lets a workflow approve pull requests.
	CanApprove bool `json:"can_approve_pull_request_reviews"`
}

// WorkflowAccess is who may call the workflows of a private repository.
// Source: https://docs.github.com/en/rest/actions/permissions#get-the-level-of-access-for-workflows-outside-of-the-repository
type WorkflowAccess struct {
	// Level is none, user, organization or enterprise.
	Level string `json:"access_level"`
}

// BranchRules are what rulesets and the protection of a branch demand together.
type BranchRules struct {
	// Checks are the status checks that a commit has to pass.
	Checks []StatusCheck
	// Approvals is how many reviews a pull request needs; 0 where it needs none.
	Approvals int
	// DismissStale reports that a push dismisses the approvals before it, ApproveLastPush that another person than its author has to
	// approve the last push.
	DismissStale, ApproveLastPush bool
	// NoForcePush and NoDeletion report that both are blocked.
	NoForcePush, NoDeletion bool
	// Bypassed are the rulesets that others may bypass than administrators: what they demand does not count.
	Bypassed []string
	// Unread is why the branch's protection, which may demand more than the rulesets, could not be read; nil where it was.
	Unread error
}

// StatusCheck is a required status check.
type StatusCheck struct {
	Context string
	// App is the number of the only app that may report it; 0 where anyone may who may write the repository.
	App int64
}

// Ruleset is a ruleset for branches or tags.
// Source: https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset
type Ruleset struct {
	Name   string `json:"name"`
	Target string `json:"target"`
	// Enforcement is active, evaluate or disabled.
	Enforcement string `json:"enforcement"`
	Conditions  struct {
		RefName struct {
			Include []string `json:"include"`
			Exclude []string `json:"exclude"`
		} `json:"ref_name"`
	} `json:"conditions"`
	Rules []RulesetRule `json:"rules"`
	// Bypass are those for whom the ruleset does not hold.
	Bypass []BypassActor `json:"-"`
}

// BypassActor is a role, a team, an app or a deploy key.
type BypassActor struct {
	ID   int64  `json:"actor_id"`
	Type string `json:"actor_type"`
}

// adminRole is the number of the role of a repository's administrators.
// Source: https://registry.terraform.io/providers/integrations/github/latest/docs/resources/repository_ruleset#bypass_actors
const adminRole = 5

// bypassed reports whether others may bypass the ruleset than administrators, who may remove it as well.
func (s Ruleset) bypassed() bool {
	return slices.ContainsFunc(s.Bypass, func(a BypassActor) bool {
		return a.Type != "OrganizationAdmin" && a.Type != "EnterpriseOwner" && a != BypassActor{adminRole, "RepositoryRole"}
	})
}

// RulesetRule is a rule of a ruleset.
type RulesetRule struct {
	Type string `json:"type"`
}

// blocks reports whether the ruleset blocks the creation of a tag.
func (s Ruleset) blocks(tag string) bool {
	matches := func(pattern string) bool { return matchesRef(pattern, "refs/tags/"+tag) }
	names := s.Conditions.RefName
	return slices.Contains(s.Rules, RulesetRule{"creation"}) && s.Target == "tag" && s.Enforcement == "active" && !s.bypassed() &&
		slices.ContainsFunc(names.Include, matches) && !slices.ContainsFunc(names.Exclude, matches)
}

// matchesRef reports whether a pattern of a ruleset matches a ref: ~ALL, or a pattern of fnmatch in which "**/" is any number of
// directories.
// Source: https://docs.github.com/en/rest/repos/rules#create-a-repository-ruleset
func matchesRef(pattern, ref string) bool {
	forms := []string{pattern, strings.ReplaceAll(pattern, "**/", "")}
	return pattern == "~ALL" || slices.ContainsFunc(forms, func(form string) bool {
		matched, err := path.Match(form, ref)
		return err == nil && matched
	})
}

func (r RepositoryInfo) private() bool { return r.Visibility != "public" }

// canReview reports whether GitHub has required reviewers for the repository: for public ones, and for others with Enterprise. A plan
// that is unknown may be Enterprise.
// Source: https://docs.github.com/en/actions/reference/workflows-and-actions/deployments-and-environments
func (r Repository) canReview() bool {
	return !r.Info.Value.private() || !slices.Contains([]string{"free", "pro", "team"}, r.Plan)
}

const adminHint = "log in with an account that administers the repository: `gh auth login`"

// Evaluate returns the findings of a repository.
func (e Expected) Evaluate(r Repository) []Finding {
	if err := r.Info.Err; err != nil {
		a := about{ComponentGitHub, r.Name}
		if isStatus(err, 404) {
			return []Finding{a.finding(checks.Error, "correct github.repositories in "+environment.FileName(environment.SharedStack)+
				", or "+adminHint, "the repository does not exist, or the account of gh has no access to it; the roles trust its name")}
		}
		return []Finding{a.unknown(err, adminHint, "the repository could not be read")}
	}
	var all []Finding
	for _, want := range e.Environments {
		all = append(all, r.environment(want)...)
	}
	all = append(all, e.subject(r), e.workflowPermissions(r))
	if offers := r.Offers; len(e.Repositories) > 1 && offers.Value && r.Info.Value.private() {
		all = append(all, r.access())
	}
	for _, branch := range e.branches() {
		all = append(all, e.branch(r, branch))
	}
	if main := e.production(); main != "" {
		all = append(all, r.defaultBranch(main))
	}
	if r.Offers.Value {
		all = append(all, e.tags(r))
	}
	return all
}

// environment returns the findings of one environment.
func (r Repository) environment(want ExpectedEnvironment) []Finding {
	a := about{ComponentGitHub, r.Name + " environment " + want.Name}
	if err := r.Environments.Err; err != nil {
		return []Finding{a.unknown(err, adminHint, "the environments could not be read")}
	}
	found := list.Find(r.Environments.Value, func(e GitHubEnvironment) bool { return strings.EqualFold(e.Name, want.Name) })
	if found == nil {
		message := "it does not exist, and GitHub creates it without any protection when a workflow names it; a role of the account trusts it"
		if r.Info.Value.private() && r.Plan == "free" {
			message += "; private repositories have environments from GitHub Pro or Team on"
		}
		return []Finding{a.finding(checks.Error, r.protect(want, GitHubEnvironment{}), "%s", message)}
	}
	all := []Finding{r.branchPolicy(a, want, *found)}
	if want.Approval {
		all = append(all, r.review(want, *found))
	}
	return all
}

// branchPolicy compares the branches that may deploy with the environment's own.
func (r Repository) branchPolicy(a about, want ExpectedEnvironment, found GitHubEnvironment) Finding {
	restrict := r.protect(want, found)
	own := "the branch " + want.Branch
	if want.Branch == "" {
		own = "its branch, which no file names"
	}
	switch {
	case found.Policy == nil:
		return a.finding(checks.Error, restrict,
			"every branch may deploy it, and with that assume the role that it has in the account; only %s should", own)
	case found.Policy.Protected:
		return a.finding(checks.Warning, restrict, "every branch with protection rules may deploy it; only %s should", own)
	case found.Patterns.Err != nil:
		return a.unknown(found.Patterns.Err, adminHint, "the branches that may deploy it could not be read")
	}
	isOwn := func(p BranchPattern) bool { return p.Name == want.Branch && p.Type != "tag" }
	others := list.Filter(found.Patterns.Value, func(p BranchPattern) bool { return !isOwn(p) })
	patterns := list.Map(others, func(p BranchPattern) string {
		return strings.TrimSpace(strings.TrimPrefix(p.Type, "branch") + " " + p.Name)
	})
	var commands []string
	if !slices.ContainsFunc(found.Patterns.Value, isOwn) {
		commands = append(commands, r.allowBranch(want))
	}
	for _, p := range others {
		commands = append(commands, fmt.Sprintf("gh api --method DELETE %s/%d", r.policies(want.Name), p.ID))
	}
	switch {
	case want.Branch == "" && len(others) == 0:
		return a.healthy("no branch may deploy it, and no file describes it")
	case want.Branch == "":
		return a.finding(checks.Warning, fmt.Sprintf("add its file, or remove it from github.environments in %s and at GitHub",
			environment.FileName(environment.SharedStack)),
			"deployments are possible from %s; a role of the account trusts it, and no file describes it", strings.Join(patterns, ", "))
	case len(others) > 0:
		return a.finding(checks.Error, strings.Join(commands, "\n"),
			"deployments are possible from %s; only %s should deploy it", strings.Join(patterns, ", "), own)
	case len(commands) > 0:
		return a.finding(checks.Error, commands[0], "no branch may deploy it; %s should", own)
	}
	return a.healthy("deployments from %s only%s", want.Branch, found.waits())
}

// waits describes a wait timer; "" where there is none.
func (e GitHubEnvironment) waits() string {
	if rule := e.rule("wait_timer"); rule != nil && rule.WaitTimer > 0 {
		return fmt.Sprintf(", after a wait of %d min", rule.WaitTimer)
	}
	return ""
}

// rule returns the environment's rule of a type, or nil.
func (e GitHubEnvironment) rule(kind string) *ProtectionRule {
	return list.Find(e.Rules, func(r ProtectionRule) bool { return r.Type == kind })
}

// review evaluates who has to approve a deployment. Where GitHub has no required reviewers, the reviews of pull requests to the only branch
// that may deploy replace them.
func (r Repository) review(want ExpectedEnvironment, found GitHubEnvironment) Finding {
	a := about{ComponentGitHub, r.Name + " environment " + want.Name + " reviewers"}
	rule := found.rule("required_reviewers")
	switch {
	case rule != nil && len(rule.Reviewers) > 0 && rule.PreventSelfReview:
		return a.healthy("deployments need the approval of another person")
	case rule != nil && len(rule.Reviewers) > 0:
		return a.finding(checks.Warning, r.protect(want, found), "who starts a deployment may approve it as well")
	case r.canReview() && !r.Info.Value.private():
		return a.finding(checks.Error, r.protect(want, found), "no one has to approve a deployment")
	case r.canReview():
		instead := "without Enterprise, demand reviews of the branch instead:\n" + r.ruleset(want.Branch)
		return a.finding(checks.Error, r.protect(want, found)+"\n"+instead,
			"no one has to approve a deployment; in a %s repository required reviewers need GitHub Enterprise", r.Info.Value.Visibility)
	}
	branch, read := r.Branches[want.Branch]
	switch {
	case read && branch.Err != nil:
		return a.unknown(branch.Err, adminHint,
			"required reviewers need GitHub Enterprise, and the rules of %s, which could replace them, could not be read", want.Branch)
	case branch.Value.Approvals > 0:
		return a.healthy("required reviewers need GitHub Enterprise; pull requests to %s, the only branch that may deploy, need %d approvals instead",
			want.Branch, branch.Value.Approvals)
	case branch.Value.Unread != nil:
		return a.unknown(branch.Value.Unread, adminHint,
			"required reviewers need GitHub Enterprise, and the protection of %s, which could replace them, could not be read",
			want.Branch)
	}
	return a.finding(checks.Error, r.ruleset(want.Branch),
		"no one has to approve a deployment: in a %s repository required reviewers need GitHub Enterprise, and pull requests to %s need no approval either",
		r.Info.Value.Visibility, want.Branch)
}

// subject compares the subjects of the repository's tokens with those that the roles trust.
func (e Expected) subject(r Repository) Finding {
	a := about{ComponentGitHub, r.Name + " OIDC subject"}
	template, err := r.Subject.Value, r.Subject.Err
	prefix, isDefault := strings.CutPrefix(template.Prefix, "repo:")
	switch {
	case err != nil:
		return a.unknown(err, adminHint, "the form of the subject could not be read")
	case !template.UseDefault:
		claims := "the organization's template"
		if len(template.Claims) > 0 {
			claims = "the claims " + strings.Join(template.Claims, ", ")
		}
		return a.finding(checks.Error, fmt.Sprintf("gh api --method PUT repos/%s/actions/oidc/customization/sub -F use_default=true", r.Name),
			"it is composed of %s; the roles trust GitHub's default, repo:OWNER/NAME:environment:NAME", claims)
	case !isDefault:
		return a.finding(checks.Warning,
			fmt.Sprintf("compare github.repositories with the subject that a failed run of `configure-aws-credentials` in %s prints", r.Name),
			"GitHub did not return how it begins; the roles trust repo:%s", strings.Join(e.Subjects, " and repo:"))
	case !slices.Contains(e.Subjects, prefix):
		return a.finding(checks.Error,
			fmt.Sprintf("write %q to github.repositories in %s, then run `deployer bootstrap`", prefix,
				environment.FileName(environment.SharedStack)),
			"it begins with repo:%s; the roles trust repo:%s", prefix, strings.Join(e.Subjects, " and repo:"))
	}
	return a.healthy("it begins with repo:%s, which the roles trust", prefix)
}

// workflowPermissions evaluates what the token of a job may do. A job that approves pull requests replaces the review of another
// person, and anyone who may push a branch can write such a job.
func (e Expected) workflowPermissions(r Repository) Finding {
	a := about{ComponentGitHub, r.Name + " workflow permissions"}
	restrict := fmt.Sprintf("gh api --method PUT repos/%s/actions/permissions/workflow -f default_workflow_permissions=read "+
		"-F can_approve_pull_request_reviews=false", r.Name)
	switch {
	case r.Workflow.Err != nil:
		return a.unknown(r.Workflow.Err, adminHint, "the default permissions of workflows could not be read")
	case r.Workflow.Value.CanApprove:
		return a.finding(checks.Error, restrict,
			"a workflow may approve pull requests: with one, anyone who may push a branch approves their own changes")
	case r.Workflow.Value.Default != "read":
		return a.finding(checks.Warning, restrict, "a workflow that lists no permissions may %s the repository",
			r.Workflow.Value.Default)
	}
	return a.healthy("a workflow that lists no permissions may only read, and none may approve pull requests")
}

// access evaluates whether the other repositories may call the reusable workflow of a private one.
func (r Repository) access() Finding {
	a := about{ComponentGitHub, r.Name + " access to workflows"}
	level := "organization"
	if r.Info.Value.Owner.Type == "User" {
		level = "user"
	}
	switch {
	case r.Access.Err != nil:
		return a.unknown(r.Access.Err, adminHint, "the access to reusable workflows could not be read")
	case r.Access.Value.Level == "none":
		return a.finding(checks.Error, fmt.Sprintf("gh api --method PUT repos/%s/actions/permissions/access -f access_level=%s", r.Name, level),
			"no other repository may call %s", deployWorkflow)
	}
	return a.healthy("repositories of the same %s may call %s", r.Access.Value.Level, deployWorkflow)
}

// branch evaluates whether commits reach a branch that deploys only after a review and after the checks. Where the environment
// demands approval, each gap is an error: anyone who may push the branch deploys with the rights of its role. Elsewhere only a
// missing check is one.
func (e Expected) branch(r Repository, name string) Finding {
	a := about{ComponentGitHub, r.Name + " branch " + name}
	answer := r.Branches[name]
	rules, approved := answer.Value, e.approvedFrom(name)
	gaps, note := r.gaps(rules, len(approved) > 0), ""
	if len(rules.Bypassed) > 0 {
		note = "; not counted, since others than administrators may bypass it: " + strings.Join(rules.Bypassed, ", ")
	}
	switch {
	case answer.Err != nil:
		return a.unknown(answer.Err, adminHint, "its rules could not be read")
	case r.Offers.Err != nil:
		return a.unknown(r.Offers.Err, adminHint, "it could not be read whether the repository has %s", deployWorkflow)
	case len(gaps) > 0 && rules.Unread != nil:
		return a.unknown(rules.Unread, adminHint, "its protection could not be read")
	case len(gaps) > 0 && len(approved) > 0:
		return a.finding(checks.Error, r.ruleset(name), "%s is deployed from it, and its rules lack %s%s",
			strings.Join(approved, ", "), strings.Join(gaps, ", "), note)
	case !r.checked(rules, func(StatusCheck) bool { return true }):
		return a.finding(checks.Error, r.ruleset(name), "a commit is deployed from it without having passed %s%s",
			r.requiredCheck(), note)
	case len(gaps) > 0:
		return a.finding(checks.Warning, r.ruleset(name), "its rules lack %s%s", strings.Join(gaps, ", "), note)
	}
	contexts := list.Map(rules.Checks, func(c StatusCheck) string { return c.Context })
	return a.healthy("commits have to pass %s, and need an approval", strings.Join(contexts, ", "))
}

// gaps returns what the rules of a branch lack: a review and a check that only GitHub Actions reports, and where deployments from
// the branch need approval, also what keeps commits without a review from being deployed.
func (r Repository) gaps(rules BranchRules, approval bool) []string {
	var gaps []string
	for _, demand := range []struct {
		met  bool
		name string
	}{
		{rules.Approvals > 0, "pull requests with an approval"},
		{!approval || rules.DismissStale, "the dismissal of approvals by a push"},
		{!approval || rules.ApproveLastPush, "the approval of the last push by another person"},
		{!approval || rules.NoForcePush, "a block of force pushes"},
		{!approval || rules.NoDeletion, "a block of deletions"},
		{r.checked(rules, r.bound), r.boundCheck()},
	} {
		if !demand.met {
			gaps = append(gaps, demand.name)
		}
	}
	return gaps
}

// checked reports whether the rules require a check that the repository's commits have to pass, and that is as demanded.
func (r Repository) checked(rules BranchRules, demanded func(StatusCheck) bool) bool {
	return slices.ContainsFunc(rules.Checks, func(c StatusCheck) bool {
		return (c.Context == RequiredCheck || !r.Offers.Value) && demanded(c)
	})
}

// bound reports whether only an app may report a check. The checks of the application's repository may be those of another
// service.
func (r Repository) bound(c StatusCheck) bool {
	return c.App == actionsApp || !r.Offers.Value && c.App > 0
}

// boundCheck names the check that commits have to pass as a required one that only an app may report.
func (r Repository) boundCheck() string {
	if r.Offers.Value {
		return "the required check " + RequiredCheck + " from GitHub Actions alone"
	}
	return "a required check from one app alone"
}

// requiredCheck names the check that commits have to pass. The tests of the application's repository are its own.
func (r Repository) requiredCheck() string {
	if r.Offers.Value {
		return "the job " + RequiredCheck + " of ci.yml"
	}
	return "a check"
}

// defaultBranch compares the default branch with production's. A job restores the caches of its own branch and of the default
// branch: anyone who may push the default branch writes what a deployment of production restores.
// Source: https://docs.github.com/en/actions/reference/workflows-and-actions/dependency-caching
func (r Repository) defaultBranch(production string) Finding {
	a := about{ComponentGitHub, r.Name + " default branch"}
	if found := r.Info.Value.DefaultBranch; found != production {
		return a.finding(checks.Warning,
			fmt.Sprintf("gh api --method PATCH repos/%s -f default_branch=%s", r.Name, text.ShellQuote(production)),
			"it is %s, and not %s, from which production is deployed: the jobs of production restore caches that jobs of %[1]s wrote",
			found, production)
	}
	return a.healthy("it is %s, from which production is deployed", production)
}

// tags evaluates whether someone may create a tag with the name of a branch that deploys. Workflows that call the reusable one as
// "uses: …@main" get the tag main where there is one, and with that what its author wrote.
// Source: https://docs.github.com/en/actions/how-tos/reuse-automations/reuse-workflows#calling-a-reusable-workflow
func (e Expected) tags(r Repository) Finding {
	a := about{ComponentGitHub, r.Name + " tags"}
	names := e.branches()
	if err := errors.Join(r.Tags.Err, r.TagRulesets.Err); err != nil {
		return a.unknown(err, adminHint, "the tags %s and the rulesets for tags could not be read", strings.Join(names, ", "))
	}
	open := list.Filter(names, func(name string) bool {
		return !slices.ContainsFunc(r.TagRulesets.Value, func(s Ruleset) bool { return s.blocks(name) })
	})
	status := checks.Warning
	for _, name := range slices.Concat(open, r.Tags.Value) {
		if len(e.approvedFrom(name)) > 0 {
			status = checks.Error
		}
	}
	var commands, problems []string
	for _, name := range r.Tags.Value {
		commands = append(commands, "gh api --method DELETE "+text.ShellQuote(fmt.Sprintf("repos/%s/git/refs/tags/%s", r.Name, name)))
		problems = append(problems, fmt.Sprintf("the tag %s exists", name))
	}
	if len(open) > 0 {
		commands = append(commands, r.tagRuleset(names))
		problems = append(problems, "anyone who may write the repository can create the tags "+strings.Join(open, ", "))
	}
	if len(problems) > 0 {
		return a.finding(status, strings.Join(commands, "\n"),
			"%s; a workflow that calls %s at the branch of that name gets the tag's instead",
			strings.Join(problems, ", and "), deployWorkflow)
	}
	return a.healthy("no tag has, or may get, the name of a branch that deploys: %s", strings.Join(names, ", "))
}

// policies returns the path of the patterns of an environment's branches.
func (r Repository) policies(env string) string {
	return fmt.Sprintf("repos/%s/environments/%s/deployment-branch-policies", r.Name, env)
}

func (r Repository) allowBranch(want ExpectedEnvironment) string {
	branch := want.Branch
	if branch == "" {
		branch = "BRANCH"
	}
	return fmt.Sprintf("gh api --method POST %s -f name=%s", r.policies(want.Name), text.ShellQuote(branch))
}

// protect returns the commands that create an environment, or restrict one to its branch and its reviewers. GitHub removes what the request
// does not repeat, so that it repeats the rules that exist.
// Source: https://docs.github.com/en/rest/deployments/environments#create-or-update-an-environment
func (r Repository) protect(want ExpectedEnvironment, found GitHubEnvironment) string {
	type reviewer struct {
		Type string `json:"type"`
		ID   any    `json:"id"`
	}
	body := struct {
		WaitTimer   int          `json:"wait_timer,omitempty"`
		PreventSelf bool         `json:"prevent_self_review,omitempty"`
		Reviewers   []reviewer   `json:"reviewers,omitempty"`
		Policy      BranchPolicy `json:"deployment_branch_policy"`
	}{Policy: BranchPolicy{Custom: true}}
	if rule := found.rule("wait_timer"); rule != nil {
		body.WaitTimer = rule.WaitTimer
	}
	if rule := found.rule("required_reviewers"); rule != nil {
		body.PreventSelf = rule.PreventSelfReview
		body.Reviewers = list.Map(rule.Reviewers, func(r Reviewer) reviewer { return reviewer{r.Type, r.Reviewer.ID} })
	}
	placeholder := ""
	if want.Approval && r.canReview() {
		body.PreventSelf = true
		if len(body.Reviewers) == 0 {
			owner, _, _ := strings.Cut(r.Name, "/")
			body.Reviewers = []reviewer{{"Team", "TEAM_ID"}}
			placeholder = fmt.Sprintf("TEAM_ID=$(gh api orgs/%s/teams/TEAM --jq .id)\n", owner)
		}
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return err.Error() // never: strings, numbers and booleans
	}
	quoted := text.ShellQuote(string(encoded))
	if placeholder != "" {
		// The number is the shell's variable between two quoted parts.
		quoted = strings.ReplaceAll(quoted, `"TEAM_ID"`, `'"$TEAM_ID"'`)
	}
	command := fmt.Sprintf("%secho %s | gh api --method PUT repos/%s/environments/%s --input -", placeholder, quoted, r.Name, want.Name)
	hasBranch := found.Policy != nil && found.Policy.Custom &&
		slices.ContainsFunc(found.Patterns.Value, func(p BranchPattern) bool { return p.Name == want.Branch })
	if !hasBranch {
		command += "\n" + r.allowBranch(want)
	}
	return command
}

// ruleset returns the command that creates a ruleset for a branch with everything that the evaluation of a branch demands.
// Rulesets add up: those that exist stay in force.
func (r Repository) ruleset(branch string) string {
	check := RequiredCheck
	if !r.Offers.Value {
		check = "CHECK"
	}
	return r.createRuleset(branch+": reviewed and checked", "branch", []string{"refs/heads/" + branch}, []map[string]any{
		{"type": "deletion"}, {"type": "non_fast_forward"},
		{"type": "pull_request", "parameters": map[string]any{
			"required_approving_review_count": 1, "require_last_push_approval": true, "dismiss_stale_reviews_on_push": true,
			"require_code_owner_review": false, "required_review_thread_resolution": false,
		}},
		{"type": "required_status_checks", "parameters": map[string]any{
			"strict_required_status_checks_policy": false,
			"required_status_checks":               []map[string]any{{"context": check, "integration_id": actionsApp}},
		}},
	})
}

// tagRuleset returns the command that blocks the creation of tags.
func (r Repository) tagRuleset(names []string) string {
	refs := list.Map(names, func(name string) string { return "refs/tags/" + name })
	return r.createRuleset("no tags named like branches", "tag", refs, []map[string]any{{"type": "creation"}})
}

// createRuleset returns the command that creates a ruleset without exceptions.
// Source: https://docs.github.com/en/rest/repos/rules#create-a-repository-ruleset
func (r Repository) createRuleset(name, target string, refs []string, rules []map[string]any) string {
	encoded, err := json.Marshal(map[string]any{
		"name": name, "target": target, "enforcement": "active", "rules": rules,
		"conditions": map[string]any{"ref_name": map[string]any{"include": refs, "exclude": []string{}}},
	})
	if err != nil {
		return err.Error() // never: strings, numbers and booleans
	}
	return fmt.Sprintf("echo %s | gh api --method POST repos/%s/rulesets --input -", text.ShellQuote(string(encoded)), r.Name)
}

// Commands returns the commands that create the environments of a repository, for a bootstrap that cannot ask GitHub which exist.
func (e Expected) Commands(repository string) []string {
	r := Repository{Name: repository, Info: Answer[RepositoryInfo]{Value: RepositoryInfo{Visibility: "public"}}}
	return list.Map(e.Environments, func(want ExpectedEnvironment) string { return r.protect(want, GitHubEnvironment{}) })
}

// StatusError is an error of GitHub's API.
type StatusError struct {
	// Code is the HTTP status.
	Code    int
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("GitHub answers %q (HTTP %d)", e.Message, e.Code)
}

// isStatus reports whether GitHub answered with an HTTP status.
func isStatus(err error, code int) bool {
	answered, ok := errors.AsType[*StatusError](err)
	return ok && answered.Code == code
}
