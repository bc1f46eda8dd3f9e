#!/usr/bin/env bash
# Prints the step output cache: true where all environments that are deployed from the branch of REF need no approval. A run also
# restores caches of the default branch, whose jobs may have saved anything: what is approved is neither planned nor deployed with
# it. The files are read as text, since the deployer is not built yet; in doubt there is no cache.
set -euo pipefail

cache=false
case ${REF:-} in
refs/heads/*)
  files=$(grep -slxF -- "      branch: ${REF#refs/heads/}" Pulumi.*.yaml) || files=
  if [ -n "$files" ]; then
    cache=true
    while read -r file; do
      grep -qxF '      approval: false' "$file" || cache=false
    done <<<"$files"
  fi
  ;;
esac
echo "cache=$cache"
