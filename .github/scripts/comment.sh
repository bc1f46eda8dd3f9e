#!/usr/bin/env bash
# Creates or updates the one preview comment on the pull request PULL_REQUEST.
# usage: comment.sh FILE
set -euo pipefail

marker='<!-- deployer preview -->'
body=$(mktemp)
trap 'rm -f "$body"' EXIT
{ echo "$marker"; cat "$1"; } > "$body"

comments="repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments"
existing=$(gh api --paginate "$comments" \
  --jq ".[] | select(.user.login == \"github-actions[bot]\" and (.body | startswith(\"$marker\"))) | .id" | head -n 1)
if [ -n "$existing" ]; then
  gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$existing" --field "body=@$body"
else
  gh api --silent --method POST "$comments" --field "body=@$body"
fi
