#!/usr/bin/env bash
# Runs COMMAND on the environment of DEPLOYER_ENV: rollback (to TO), restart (of SERVICE), migrate (with MIGRATION) or lock release (with FORCE).
# An argument of another command is an error, so that no wish is ignored.
set -euo pipefail

# only fails where a variable is set that another command takes.
only() {
  local name allowed=" $* "
  for name in TO SERVICE MIGRATION FORCE; do
    case $allowed in *" $name "*) continue ;; esac
    case ${!name:-} in
    "" | false) ;;
    *) echo "::error::${name,,} does not go with $COMMAND" >&2; exit 3 ;;
    esac
  done
}

case $COMMAND in
rollback)
  only TO
  exec bin/deployer rollback ${TO:+"--to=$TO"} --wait --yes
  ;;
restart)
  only SERVICE
  exec bin/deployer restart ${SERVICE:+"--service=$SERVICE"} --wait --yes
  ;;
migrate)
  only MIGRATION
  exec bin/deployer migrate ${MIGRATION:+"--command=$MIGRATION"} --wait --yes
  ;;
"lock release")
  only FORCE
  if [ "${FORCE:-}" = true ]; then exec bin/deployer lock release --force --yes; fi
  exec bin/deployer lock release --yes
  ;;
*)
  echo "::error::$COMMAND is none of rollback, restart, migrate, lock release" >&2
  exit 3
  ;;
esac
