#!/usr/bin/env bash
# Installs the providers in the versions of go.mod with the engine ENGINE, below PULUMI_HOME. A provider whose archive is in
# tools/providers.sha256 is verified; any other one is installed with a warning.
# usage: providers.sh ENGINE
set -euo pipefail

engine=$(realpath "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
platform=$(go env GOOS)-$(go env GOARCH)
for module in aws/sdk/v6 awsx/sdk/v2; do
  name=${module%%/*}
  version=$(go list -m -f '{{.Version}}' "github.com/pulumi/pulumi-$module")
  archive=pulumi-resource-$name-$version-$platform.tar.gz
  checksum=$(awk -v archive="$archive" '$2 == archive {print $1}' tools/providers.sha256)
  if [ -z "$checksum" ]; then
    echo "warning: $archive is not verified: tools/providers.sha256 does not have it; \`make pins\` adds it" >&2
  fi
  "$engine" plugin install resource "$name" "$version" ${checksum:+--checksum "$checksum"}
done
