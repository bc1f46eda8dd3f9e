#!/usr/bin/env bash
# Exits with 3 where the GitHub environment ENVIRONMENT does not exist, or lacks the reviewers that APPROVAL=true asks for. GitHub
# creates an environment that only a workflow names, without any protection. WITHOUT_REVIEWERS=true accepts that there are none, in
# repositories for which GitHub does not offer them: docs/delivery.md has what replaces them.
set -euo pipefail

if ! settings=$(gh api "repos/$GITHUB_REPOSITORY/environments/$ENVIRONMENT"); then
  echo "::error::the GitHub environment $ENVIRONMENT of $GITHUB_REPOSITORY cannot be read: create it, with its branch and its reviewers" >&2
  exit 3
fi
if [ "$(jq -r '.deployment_branch_policy == null' <<<"$settings")" = true ]; then
  echo "::warning::the GitHub environment $ENVIRONMENT does not limit its deployment branches" >&2
fi
if [ "${APPROVAL:-}" = true ] && ! jq -e '[.protection_rules[]? | select(.type == "required_reviewers" and (.reviewers | length > 0))] | any' \
  <<<"$settings" > /dev/null; then
  if [ "${WITHOUT_REVIEWERS:-}" != true ]; then
    echo "::error::the GitHub environment $ENVIRONMENT has no required reviewers: add them, or set the variable DEPLOY_WITHOUT_REVIEWERS to true" >&2
    exit 3
  fi
  echo "::warning::no one approves this deployment: $ENVIRONMENT has no required reviewers" >&2
fi
