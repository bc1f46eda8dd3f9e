#!/usr/bin/env bash
# Fuzzes every target of the given packages in turn, for FUZZTIME in total. Failing inputs are written to the package's
# testdata/fuzz/, which go test replays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case ${FUZZTIME:=10m} in
*[!0-9]*m | *[!0-9]*s | [ms]) seconds= ;;
*m) seconds=$((${FUZZTIME%m} * 60)) ;;
*s) seconds=${FUZZTIME%s} ;;
*) seconds= ;;
esac
[ -n "$seconds" ] || { echo "FUZZTIME=$FUZZTIME: give whole minutes or seconds, such as 10m or 90s" >&2; exit 2; }

targets=()
for package in "$@"; do
  list=$(go test -list '^Fuzz' "$package")
  while read -r target; do targets+=("$package $target"); done < <(grep '^Fuzz' <<< "$list" || true)
done
[ "${#targets[@]}" -gt 0 ] || { echo "no fuzz target in $*" >&2; exit 2; }
each=$((seconds / ${#targets[@]}))
[ "$each" -gt 0 ] || each=1
for target in "${targets[@]}"; do
  read -r package name <<< "$target"
  echo "== $name of $package, ${each}s"
  # With one worker and the coordinator, fuzzing uses two cores.
  go test -run '^$' -fuzz "^$name\$" -fuzztime "${each}s" -fuzzminimizetime 2s -parallel 1 "$package"
done
