#!/usr/bin/env bash
# Makes the release of the tag GITHUB_REF_NAME from the binaries of the run GITHUB_RUN_ID, with one file of checksums.
set -euo pipefail

gh run download "$GITHUB_RUN_ID" --pattern 'binaries-*' --dir artifacts
mkdir dist
find artifacts -type f -exec mv {} dist/ \;
cd dist
cat SHA256SUMS_* > checksums
rm SHA256SUMS_*
mv checksums SHA256SUMS
sha256sum --check SHA256SUMS
# Whatever is not in the checksums does not belong into a release.
[ "$(wc -l < SHA256SUMS)" -eq $(($(find . -type f | wc -l) - 1)) ] || { echo "::error::a binary has no checksum" >&2; exit 1; }
gh release create "$GITHUB_REF_NAME" --verify-tag --generate-notes -- *
