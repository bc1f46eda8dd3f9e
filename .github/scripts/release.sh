#!/usr/bin/env bash
# Creates the release of the tag GITHUB_REF_NAME from the binaries of the run GITHUB_RUN_ID, with one checksum file.
set -euo pipefail

gh run download "$GITHUB_RUN_ID" --pattern 'binaries-*' --dir artifacts
mkdir dist
find artifacts -type f -exec mv {} dist/ \;
cd dist
cat SHA256SUMS_* > checksums
rm SHA256SUMS_*
mv checksums SHA256SUMS
sha256sum --check SHA256SUMS
# A release contains only files with a checksum.
[ "$(wc -l < SHA256SUMS)" -eq $(($(find . -type f | wc -l) - 1)) ] || { echo "::error::a binary has no checksum" >&2; exit 1; }
gh release create "$GITHUB_REF_NAME" --verify-tag --generate-notes -- *
