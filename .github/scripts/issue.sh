#!/usr/bin/env bash
# Creates, updates or closes the one open issue for drift in ENVIRONMENT.
# usage: issue.sh EXIT_CODE_OF_DRIFT FILE
set -euo pipefail

title="Drift in $ENVIRONMENT"
existing=$(gh issue list --label drift --state open --limit 200 --json number,title \
  --jq ".[] | select(.title == \"$title\") | .number" | head -n 1)
case "$1" in
  0)
    [ -z "$existing" ] || gh issue close "$existing" --comment "The account matches the stack again: $RUN_URL"
    ;;
  2)
    if [ -n "$existing" ]; then
      gh issue edit "$existing" --body-file "$2"
    else
      gh label create drift --description "the account and the stack differ" --force
      gh issue create --title "$title" --label drift --body-file "$2"
    fi
    ;;
  *)
    echo "::error::could not check for drift of $ENVIRONMENT (exit code $1)" >&2
    exit "$1"
    ;;
esac
