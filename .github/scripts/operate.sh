#!/usr/bin/env bash
# Prints the step outputs of the plan of operate.yml: arguments, a JSON list for bin/deployer, and command, the same list as text,
# which reviewers see in the job's name. They are built from COMMAND: rollback (to TO), restart (of SERVICE), migrate (with
# MIGRATION), sleep, wake or lock release (with FORCE), in the environment of DEPLOYER_ENV. An input that could hide what runs, or that the
# command does not take, is an error.
# usage: operate.sh
#        operate.sh run    runs bin/deployer with ARGUMENTS, the output of that name
set -euo pipefail
LC_ALL=C

# fail prints an error annotation.
fail() { echo "::error::$1" >&2; exit 3; }

if [ "${1:-}" = run ]; then
  lines=$(jq -r '.[]' <<<"${ARGUMENTS?}")
  [ -n "$lines" ] || fail "there is nothing to run: start the whole workflow again, not this job alone"
  mapfile -t arguments <<<"$lines"
  exec bin/deployer "${arguments[@]}"
fi

for name in COMMAND TO SERVICE MIGRATION FORCE; do
  case ${!name:-} in *[!\ -~]*) fail "${name,,} contains a character that is not printable ASCII: remove it" ;; esac
done

# only fails where a variable is set that another command takes.
only() {
  local name allowed=" $* "
  for name in TO SERVICE MIGRATION FORCE; do
    case $allowed in *" $name "*) continue ;; esac
    case $name=${!name:-} in
    "$name=" | FORCE=false) ;;
    *) fail "${name,,} does not go with ${COMMAND?}: leave it empty" ;;
    esac
  done
}

# preview prints what a rollback to an image, a revision or a deployment would deploy.
preview() { bin/deployer rollback ${1:+"--to=$1"} --dry-run --format json; }

case $COMMAND in
rollback)
  only TO
  target=$(preview "${TO:-}")
  # The image alone stands for the code of the last deployment that verified it.
  if [[ ${TO:-} =~ ^[0-9]{8}-[0-9]{6}-[0-9a-f]{4}$ ]] && [ "$(jq -r .deployment <<<"$target")" != "$TO" ]; then
    fail "$TO was not the last deployment to verify its image: name the image, or roll back with rights in AWS"
  fi
  image=$(jq -er '"\(.image.tag)@\(.image.digest)"' <<<"$target")
  # A tag of a record may have moved since; then the digest alone names the image.
  if ! preview "$image" > /dev/null 2>&1; then
    image=${image##*@}
    preview "$image" > /dev/null
  fi
  arguments=(rollback "--to=$image" --wait --yes)
  ;;
restart)
  only SERVICE
  arguments=(restart ${SERVICE:+"--service=$SERVICE"} --wait --yes)
  ;;
migrate)
  only MIGRATION
  arguments=(migrate ${MIGRATION:+"--command=$MIGRATION"} --wait --yes)
  ;;
sleep | wake)
  only
  arguments=("$COMMAND" --wait --yes)
  ;;
"lock release")
  only FORCE
  case ${FORCE:-false} in
  true) arguments=(lock release --force --yes) ;;
  false) arguments=(lock release --yes) ;;
  *) fail "force is neither true nor false" ;;
  esac
  ;;
*) fail "$COMMAND is none of rollback, restart, migrate, sleep, wake, lock release" ;;
esac

list=$(printf '%s\n' "${arguments[@]}" | jq -Rnc '[inputs]')
command=$(jq -r 'map(if test("\\A[A-Za-z0-9_@:./=-]+\\z") then . else @sh end) | join(" ")' <<<"$list")
[ ${#command} -le 256 ] || fail "the command has more than 256 characters, too many to review: put it into a script of the image"
echo "arguments=$list"
echo "command=$command"
printf 'The command for %s is:\n\n    deployer %s\n' "$DEPLOYER_ENV" "$command" >> "$GITHUB_STEP_SUMMARY"
