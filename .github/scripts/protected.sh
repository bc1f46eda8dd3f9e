#!/usr/bin/env bash
# Exits with 3 where the GitHub environment ENVIRONMENT does not exist, or no one but its author has to approve what is deployed although
# APPROVAL=true. GitHub creates an environment that only a workflow names, without any protection. For repositories without required
# reviewers, a ruleset replaces them that demands an approved pull request for BRANCH, from which alone the environment is deployed.
set -euo pipefail

# fail prints an error annotation.
fail() { echo "::error::$1" >&2; exit 3; }

settings=$(gh api "repos/$GITHUB_REPOSITORY/environments/$ENVIRONMENT") ||
  fail "the GitHub environment $ENVIRONMENT of $GITHUB_REPOSITORY cannot be read: create it, with its branch and its reviewers"
if [ "$(jq -r '.deployment_branch_policy == null' <<<"$settings")" = true ]; then
  echo "::warning::the GitHub environment $ENVIRONMENT does not limit its deployment branches" >&2
fi
if [ "${APPROVAL:-}" != true ] ||
  jq -e '[.protection_rules[]? | select(.type == "required_reviewers" and (.reviewers | length > 0))] | any' <<<"$settings" > /dev/null; then
  exit 0
fi
rules=$(gh api "repos/$GITHUB_REPOSITORY/rules/branches/$(jq -nr --arg branch "$BRANCH" '$branch | @uri')") || rules='[]'
jq -e '[.[] | select(.type == "pull_request" and .parameters.required_approving_review_count > 0)] | any' <<<"$rules" > /dev/null ||
  fail "the GitHub environment $ENVIRONMENT has no required reviewers, and no ruleset demands an approved pull request for $BRANCH: add either"
echo "::warning::no one approves this run: $ENVIRONMENT has no required reviewers; a ruleset demands approved pull requests for $BRANCH" >&2
