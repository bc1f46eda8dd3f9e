package doctor

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/balancer/v3-backend-infra/deployer/hint"
	"github.com/balancer/v3-backend-infra/internal/lazyregexp"
	"github.com/balancer/v3-backend-infra/internal/text"
)

const (
	ghName = "gh"
	// githubHost is where the repositories are: the roles trust the tokens of its issuer alone.
	githubHost = "github.com"
	// deployWorkflow is the reusable workflow that the application's repository calls.
	deployWorkflow = "deploy-code.yml"
)

// GitHub reads GitHub's REST API with the command gh, which has the credentials.
type GitHub struct{ path string }

// FindGitHub finds gh on PATH. It returns an error with a hint where it is not installed or not logged in.
func FindGitHub(ctx context.Context) (GitHub, error) {
	path, err := exec.LookPath(ghName)
	if err != nil {
		return GitHub{}, hint.With(errors.New("gh is not on PATH"), "install it, https://cli.github.com, and run `gh auth login`")
	}
	g := GitHub{path}
	// What it prints contains a part of the token.
	if err := g.command(ctx, "auth", "status", "--hostname", githubHost).Run(); err != nil {
		if ctx.Err() != nil {
			return GitHub{}, context.Cause(ctx)
		}
		return GitHub{}, hint.With(errors.New("gh is not logged in to "+githubHost), "run `gh auth login`, or set GH_TOKEN")
	}
	return g, nil
}

// SkipGitHub returns the finding where GitHub cannot be asked.
func SkipGitHub(err error) Finding {
	return Skip(ComponentGitHub, cmp.Or(hint.Of(err), "run doctor again"),
		"%v: GitHub's settings, on which the roles of the account rely, were not read", err)
}

func (g GitHub) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, g.path, args...)
	cmd.Env = append(os.Environ(), "GH_PROMPT_DISABLED=1", "GH_NO_UPDATE_NOTIFIER=1", "GH_DEBUG=", "NO_COLOR=1")
	return cmd
}

// answered matches how gh ends the message of an error of the API.
// Source: https://github.com/cli/cli/blob/trunk/pkg/cmd/api/api.go
var answered = lazyregexp.New(`^gh: (.*) \(HTTP (\d+)\)$|^gh: HTTP (\d+)$`)

// get reads a path of the API. The error is a *StatusError where GitHub refused the request.
func (g GitHub) get(ctx context.Context, path string, into any) error {
	cmd := g.command(ctx, "api", "--hostname", githubHost, path)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		message := text.FirstLine(strings.TrimSpace(errs.String()))
		if match := answered.FindStringSubmatch(message); match != nil {
			code, _ := strconv.Atoi(match[2] + match[3])
			return &StatusError{Code: code, Message: text.PrintableLine(match[1])}
		}
		return fmt.Errorf("gh api %s: %w: %s", path, err, text.PrintableLine(message))
	}
	if err := json.Unmarshal(out.Bytes(), into); err != nil {
		return fmt.Errorf("gh api %s: %w", path, err)
	}
	return nil
}

// read returns the answer to a path.
func read[T any](ctx context.Context, g GitHub, format string, args ...any) Answer[T] {
	var answer Answer[T]
	answer.Err = g.get(ctx, fmt.Sprintf(format, args...), &answer.Value)
	return answer
}

// Read returns what GitHub answers about the repositories, in their order.
func (g GitHub) Read(ctx context.Context, e Expected) []Repository {
	found := make([]Repository, len(e.Repositories))
	parallel(len(found), func(i int) { found[i] = g.repository(ctx, e.Repositories[i], e.branches()) })
	return found
}

func (g GitHub) repository(ctx context.Context, name string, branches []string) Repository {
	r := Repository{Name: name, Branches: map[string]Answer[BranchRules]{}}
	if r.Info = read[RepositoryInfo](ctx, g, "repos/%s", name); r.Info.Err != nil {
		return r
	}
	rules := make([]Answer[BranchRules], len(branches))
	steps := []func(){
		func() { r.Plan = g.plan(ctx, r) },
		func() { r.Environments = g.environments(ctx, name) },
		func() { r.Subject = read[SubjectTemplate](ctx, g, "repos/%s/actions/oidc/customization/sub", name) },
		func() { r.Workflow = read[WorkflowPermissions](ctx, g, "repos/%s/actions/permissions/workflow", name) },
		func() {
			r.Offers = g.offers(ctx, name)
			if !r.Offers.Value {
				return
			}
			if r.Info.Value.private() {
				r.Access = read[WorkflowAccess](ctx, g, "repos/%s/actions/permissions/access", name)
			}
			r.Tags = g.tags(ctx, name, branches)
			r.TagRulesets = g.tagRulesets(ctx, name)
		},
	}
	for i, branch := range branches {
		steps = append(steps, func() { rules[i] = g.branchRules(ctx, name, branch) })
	}
	parallel(len(steps), func(i int) { steps[i]() })
	for i, branch := range branches {
		r.Branches[branch] = rules[i]
	}
	return r
}

// plan returns the plan of a private repository's owner; "" where GitHub does not show it, or where it makes no difference.
// Source: https://docs.github.com/en/rest/orgs/orgs#get-an-organization
func (g GitHub) plan(ctx context.Context, r Repository) string {
	owner, _, _ := strings.Cut(r.Name, "/")
	kind := "orgs"
	if r.Info.Value.Owner.Type == "User" {
		kind = "users"
	}
	if !r.Info.Value.private() {
		return ""
	}
	return read[struct {
		Plan struct {
			Name string `json:"name"`
		} `json:"plan"`
	}](ctx, g, "%s/%s", kind, owner).Value.Plan.Name
}

// pageSize is the most that GitHub lists at once. No repository has more environments or patterns.
const pageSize = 100

// environments returns the environments with their patterns.
func (g GitHub) environments(ctx context.Context, repository string) Answer[[]GitHubEnvironment] {
	listed := read[struct {
		Environments []GitHubEnvironment `json:"environments"`
	}](ctx, g, "repos/%s/environments?per_page=%d", repository, pageSize)
	found := listed.Value.Environments
	parallel(len(found), func(i int) {
		if found[i].Policy == nil || !found[i].Policy.Custom {
			return
		}
		patterns := read[struct {
			Patterns []BranchPattern `json:"branch_policies"`
		}](ctx, g, "repos/%s/environments/%s/deployment-branch-policies?per_page=%d", repository, url.PathEscape(found[i].Name), pageSize)
		found[i].Patterns = Answer[[]BranchPattern]{patterns.Value.Patterns, patterns.Err}
	})
	return Answer[[]GitHubEnvironment]{found, listed.Err}
}

// offers reports whether a repository has the reusable workflow.
// Source: https://docs.github.com/en/rest/actions/workflows#get-a-workflow
func (g GitHub) offers(ctx context.Context, repository string) Answer[bool] {
	err := read[struct{}](ctx, g, "repos/%s/actions/workflows/%s", repository, deployWorkflow).Err
	if isStatus(err, 404) {
		return Answer[bool]{}
	}
	return Answer[bool]{err == nil, err}
}

// tags returns which of the names a tag has.
// Source: https://docs.github.com/en/rest/git/refs#get-a-reference
func (g GitHub) tags(ctx context.Context, repository string, names []string) Answer[[]string] {
	errs := make([]error, len(names))
	parallel(len(names), func(i int) {
		errs[i] = read[struct{}](ctx, g, "repos/%s/git/ref/tags/%s", repository, names[i]).Err
	})
	var found Answer[[]string]
	for i, name := range names {
		switch {
		case errs[i] == nil:
			found.Value = append(found.Value, name)
		case !isStatus(errs[i], http.StatusNotFound):
			found.Err = errs[i]
		}
	}
	return found
}

// tagRulesets returns the rulesets for tags, those of the organization included.
// Source: https://docs.github.com/en/rest/repos/rules#get-all-repository-rulesets
func (g GitHub) tagRulesets(ctx context.Context, repository string) Answer[[]Ruleset] {
	listed := read[[]struct {
		ID int64 `json:"id"`
	}](ctx, g, "repos/%s/rulesets?targets=tag&per_page=%d", repository, pageSize)
	ids := make([]int64, len(listed.Value))
	for i, one := range listed.Value {
		ids[i] = one.ID
	}
	found, err := g.rulesets(ctx, repository, ids)
	return Answer[[]Ruleset]{found, cmp.Or(listed.Err, err)}
}

// rulesets reads rulesets, in the order of their numbers: lists have neither their conditions nor who may bypass them. The latter is shown only
// to those who may edit a ruleset, and an error for others.
// Source: https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset
func (g GitHub) rulesets(ctx context.Context, repository string, ids []int64) ([]Ruleset, error) {
	found, errs := make([]Ruleset, len(ids)), make([]error, len(ids))
	parallel(len(ids), func(i int) {
		one := read[struct {
			Ruleset
			Bypass *[]BypassActor `json:"bypass_actors"`
		}](ctx, g, "repos/%s/rulesets/%d", repository, ids[i])
		found[i], errs[i] = one.Value.Ruleset, one.Err
		switch bypass := one.Value.Bypass; {
		case bypass != nil:
			found[i].Bypass = *bypass
		case one.Err == nil:
			errs[i] = fmt.Errorf("GitHub does not show this account who may bypass the ruleset %s", found[i].Name)
		}
	})
	return found, errors.Join(errs...)
}

// branchRules returns what the rulesets and the protection of a branch demand together: each demand is in force.
func (g GitHub) branchRules(ctx context.Context, repository, branch string) Answer[BranchRules] {
	var all BranchRules
	err := g.addRulesets(ctx, &all, repository, branch)
	all.Unread = g.addProtection(ctx, &all, repository, branch)
	return Answer[BranchRules]{all, err}
}

// addRulesets adds what the rulesets of a branch demand, but those that others than administrators may bypass.
// Source: https://docs.github.com/en/rest/repos/rules#get-rules-for-a-branch
func (g GitHub) addRulesets(ctx context.Context, all *BranchRules, repository, branch string) error {
	rules := read[[]struct {
		Ruleset    int64  `json:"ruleset_id"`
		Type       string `json:"type"`
		Parameters struct {
			Checks []struct {
				Context string `json:"context"`
				App     int64  `json:"integration_id"`
			} `json:"required_status_checks"`
			Approvals       int  `json:"required_approving_review_count"`
			DismissStale    bool `json:"dismiss_stale_reviews_on_push"`
			ApproveLastPush bool `json:"require_last_push_approval"`
		} `json:"parameters"`
	}](ctx, g, "repos/%s/rules/branches/%s?per_page=%d", repository, url.PathEscape(branch), pageSize)
	var ids []int64
	for _, rule := range rules.Value {
		if !slices.Contains(ids, rule.Ruleset) {
			ids = append(ids, rule.Ruleset)
		}
	}
	rulesets, err := g.rulesets(ctx, repository, ids)
	for _, ruleset := range rulesets {
		if ruleset.bypassed() {
			all.Bypassed = append(all.Bypassed, ruleset.Name)
		}
	}
	for _, rule := range rules.Value {
		if rulesets[slices.Index(ids, rule.Ruleset)].bypassed() {
			continue
		}
		all.Approvals = max(all.Approvals, rule.Parameters.Approvals)
		all.DismissStale = all.DismissStale || rule.Parameters.DismissStale
		all.ApproveLastPush = all.ApproveLastPush || rule.Parameters.ApproveLastPush
		all.NoForcePush = all.NoForcePush || rule.Type == "non_fast_forward"
		all.NoDeletion = all.NoDeletion || rule.Type == "deletion"
		for _, check := range rule.Parameters.Checks {
			all.Checks = append(all.Checks, StatusCheck(check))
		}
	}
	return cmp.Or(rules.Err, err)
}

// protection is the protection of a branch.
// Source: https://docs.github.com/en/rest/branches/branch-protection#get-branch-protection
type protection struct {
	Checks struct {
		Checks []struct {
			Context string `json:"context"`
			// App is null, or -1, where anyone may report the check.
			App int64 `json:"app_id"`
		} `json:"checks"`
	} `json:"required_status_checks"`
	Reviews struct {
		Approvals       int  `json:"required_approving_review_count"`
		DismissStale    bool `json:"dismiss_stale_reviews"`
		ApproveLastPush bool `json:"require_last_push_approval"`
		// Bypass are those who need no pull request.
		Bypass struct {
			Users []struct{} `json:"users"`
			Teams []struct{} `json:"teams"`
			Apps  []struct{} `json:"apps"`
		} `json:"bypass_pull_request_allowances"`
	} `json:"required_pull_request_reviews"`
	ForcePush struct {
		Enabled bool `json:"enabled"`
	} `json:"allow_force_pushes"`
	Deletion struct {
		Enabled bool `json:"enabled"`
	} `json:"allow_deletions"`
}

// addProtection adds what the protection of a branch demands, which is visible to administrators only.
func (g GitHub) addProtection(ctx context.Context, all *BranchRules, repository, branch string) error {
	answer := read[protection](ctx, g, "repos/%s/branches/%s/protection", repository, url.PathEscape(branch))
	// Without the rights of an administrator, 404 has another message.
	refused, ok := errors.AsType[*StatusError](answer.Err)
	if ok && refused.Code == http.StatusNotFound && strings.HasPrefix(refused.Message, "Branch not ") {
		return nil
	}
	if answer.Err != nil {
		return answer.Err
	}
	found := answer.Value
	for _, check := range found.Checks.Checks {
		all.Checks = append(all.Checks, StatusCheck{check.Context, max(check.App, 0)})
	}
	if bypass := found.Reviews.Bypass; len(bypass.Users)+len(bypass.Teams)+len(bypass.Apps) > 0 {
		all.Bypassed = append(all.Bypassed, "the reviews of the branch's protection")
	} else {
		all.Approvals = max(all.Approvals, found.Reviews.Approvals)
		all.DismissStale = all.DismissStale || found.Reviews.DismissStale
		all.ApproveLastPush = all.ApproveLastPush || found.Reviews.ApproveLastPush
	}
	all.NoForcePush = all.NoForcePush || !found.ForcePush.Enabled
	all.NoDeletion = all.NoDeletion || !found.Deletion.Enabled
	return nil
}
