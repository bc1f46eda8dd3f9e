#!/usr/bin/env bash
# Prints the step outputs of a run's plan: the environment named by ENVIRONMENT, or else the one that a push to REF deploys. An
# environment is deployed from its own branch only, whatever started the run; a tag with the name of the branch is not the branch.
set -euo pipefail

branch=
case ${REF:=} in refs/heads/*) branch=${REF#refs/heads/} ;; esac

environments=$(bin/deployer env list --format json)
environment=$(jq -c --arg name "${ENVIRONMENT:-}" --arg branch "$branch" '
  [.[] | select(if $name != "" then .name == $name or .stack == $name else .trigger == "push" and .branch == $branch end)]
  | if length == 1 then .[0] else empty end' <<<"$environments")

if [ -z "$environment" ]; then
  echo "::error::no environment is ${ENVIRONMENT:-deployed by a push to ${branch:-$REF}}" >&2
  exit 3
fi
if [ "$(jq -r .branch <<<"$environment")" != "$branch" ]; then
  echo "::error::$(jq -r '"\(.name) is deployed from \(.branch)"' <<<"$environment"), not from ${branch:-$REF}" >&2
  exit 3
fi
jq -r '
  "stack=\(.stack)", "name=\(.name)", "branch=\(.branch)", "region=\(.region)", "repository=\(.repository)", "url=\(.url)",
  "approval=\(.approval)", "registry=\(.repository | split("/")[0])", "tests=\(.tests | tojson)",
  "platform=\(.platform)"' <<<"$environment"
