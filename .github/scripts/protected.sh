#!/usr/bin/env bash
# Exits with 3 where the GitHub environment ENVIRONMENT does not exist, or no one but who started the run has to approve what is deployed
# although APPROVAL=true. GitHub creates an environment that only a workflow names, without any protection. For repositories
# without required reviewers, a ruleset replaces them that demands an approved pull request for BRANCH, from which alone the
# environment is deployed. Then only maintainers start a run, or repeat one, and without the inputs that reviewers would have to
# see: UNVERIFIED, UNCHECKED, TO, MIGRATION, FORCE.
set -euo pipefail

# fail prints an error annotation.
fail() { echo "::error::$1" >&2; exit 3; }

# Reviewers see a reason in the name of the job: one that is blank, or that changes how the name is displayed, would hide its use. The deployer
# rejects one that has the form of a flag.
for name in UNVERIFIED UNCHECKED; do
  [ -z "${!name:-}" ] || jq -en --arg reason "${!name}" '$reason |
    length <= 200 and (startswith("-") | not) and test("[\\p{L}\\p{N}]") and (test("[\\p{C}\\p{Zl}\\p{Zp}]") | not)' > /dev/null ||
    fail "${name,,} is no reason: write one line of text, at most 200 characters, that does not begin with a hyphen"
done

settings=$(gh api "repos/$GITHUB_REPOSITORY/environments/$ENVIRONMENT") ||
  fail "the GitHub environment $ENVIRONMENT of $GITHUB_REPOSITORY cannot be read: create it, with its branch and its reviewers"
if [ "$(jq -r '.deployment_branch_policy == null' <<<"$settings")" = true ]; then
  echo "::warning::the GitHub environment $ENVIRONMENT does not limit its deployment branches" >&2
fi
if [ "${APPROVAL:-}" != true ] ||
  jq -e '[.protection_rules[]? | select(.type == "required_reviewers" and (.reviewers | length > 0) and .prevent_self_review)] | any' \
    <<<"$settings" > /dev/null; then
  exit 0
fi
rules=$(gh api "repos/$GITHUB_REPOSITORY/rules/branches/$(jq -nr --arg branch "$BRANCH" '$branch | @uri')") || rules='[]'
# Several rulesets add up. Without the last two, the approved author can push something else before the merge.
jq -e '[.[] | select(.type == "pull_request").parameters] | any(.required_approving_review_count > 0) and
  any(.dismiss_stale_reviews_on_push) and any(.require_last_push_approval)' <<<"$rules" > /dev/null ||
  fail "the GitHub environment $ENVIRONMENT has no required reviewers other than who starts the run, and no ruleset demands for $BRANCH a pull request \
whose last push is approved: add either (deployer doctor prints the commands)"

for name in UNVERIFIED UNCHECKED TO MIGRATION FORCE; do
  case $name=${!name:-} in
  "$name=" | FORCE=false) ;;
  *) fail "${name,,} needs an approval, and $ENVIRONMENT has no required reviewers: use the deployer with rights in AWS" ;;
  esac
done
# The pull request that a push has merged was approved. Anyone who may write to the repository can start any other run, or repeat
# one, also the deployment alone, without its plan.
if [ "$GITHUB_EVENT_NAME" != push ] || [ "$GITHUB_RUN_ATTEMPT" != 1 ]; then
  actor=$(jq -nr --arg actor "$GITHUB_TRIGGERING_ACTOR" '$actor | @uri')
  role=$(gh api "repos/$GITHUB_REPOSITORY/collaborators/$actor/permission" | jq -r .role_name) || role=unknown
  case $role in
  maintain | admin) ;;
  *) fail "without required reviewers, only maintainers deploy $ENVIRONMENT: the role of $GITHUB_TRIGGERING_ACTOR is $role" ;;
  esac
fi
echo "::warning::no one approves this run: $ENVIRONMENT has no required reviewers; a ruleset demands approved pull requests for $BRANCH" >&2
