#!/usr/bin/env bash
# Waits until ci.yml has passed for COMMIT of REPOSITORY, at most WAIT seconds; exits with 3 where it failed, did not end in time, or did
# not run. Only pushes count: a pull request's run tests a merge with its branch, by a workflow of its author.
set -euo pipefail

# fail prints an error annotation.
fail() { echo "::error::$1" >&2; exit 3; }

runs="repos/$REPOSITORY/actions/workflows/ci.yml/runs?event=push&head_sha=$COMMIT&per_page=100"
until [ "$SECONDS" -ge "${WAIT:-5400}" ]; do
  # One commit may have been pushed to several branches. A run that was started again counts with its newest attempt.
  state=$(gh api "$runs" | jq -r '
    [.workflow_runs[] | .conclusion // "running"]
    | if index("success") then "success" elif index("running") then "running" else first // "none" end') ||
    fail "the runs of ci.yml of $REPOSITORY cannot be read: the token needs actions: read"
  case $state in
  success) exit 0 ;;
  running) echo "waiting: ci.yml is running for $COMMIT" >&2 ;;
  # GitHub starts the workflows of a push one after the other.
  none) [ "$SECONDS" -lt "${START:-120}" ] || fail "ci.yml did not run for $COMMIT: deploy a commit that was pushed to main, develop or staging" ;;
  *) fail "ci.yml ended with $state for $COMMIT: run it again, or deploy a commit for which it passed" ;;
  esac
  sleep "${INTERVAL:-20}"
done
fail "ci.yml has not ended for $COMMIT in time: start this run again when it has"
