#!/usr/bin/env bash
# Checks or updates what is pinned by digest: the images of Dockerfiles, workflows and the example's compose file, and the archives of
# the providers (tools/providers.sha256). Modules are pinned by go.sum, actions by commit.
#
#   pins.sh check    fails for what is neither pinned nor named in tools/unpinned.txt, and for a line of that file that nothing needs
#   pins.sh update   looks up the digest of every tag and the checksums of the providers, and writes them; needs docker and the network
set -euo pipefail
cd "${PINS_ROOT:-$(dirname "${BASH_SOURCE[0]}")/..}"

files() {
  find . -name Dockerfile -not -path './.*' -not -path '*/node_modules/*'
  find .github examples -name '*.yml' -not -path '*/node_modules/*'
}

# images prints every image that the files name, as it is written there. Stages of a build, and arguments of FROM, are none.
images() {
  local file
  while read -r file; do
    case $file in
    */Dockerfile)
      awk '
        /^# syntax=/ {sub(/^# syntax=/, ""); print $1}
        /^ARG [A-Z_]*IMAGE=/ {sub(/^[^=]*=/, ""); print $1}
        toupper($1) == "FROM" {
          at = $2 ~ /^--/ ? 3 : 2
          if (!($at in stages) && $at != "scratch" && $at !~ /^\$/) print $at
          if (toupper($(at + 1)) == "AS") stages[$(at + 2)]
        }' "$file"
      ;;
    *) sed -nE 's/^ *(-? *image:|.*[:, ](image|generator)=|(image|generator)=) *([^ #,$]+).*/\4/p' "$file" ;;
    esac
  done < <(files) | sort -u
}

# providers prints NAME VERSION of each provider that the program uses.
providers() { sed -nE 's|^\tgithub.com/pulumi/pulumi-(awsx?)/sdk/v[0-9]+ (v[^ ]+)$|\1 \2|p' go.mod; }

unpinned() {
  images | grep -vE '@sha256:[0-9a-f]{64}$' || true
  while read -r name version; do
    grep -qE "^[0-9a-f]{64}  pulumi-resource-$name-$version-linux-amd64\.tar\.gz$" tools/providers.sha256 || echo "pulumi-resource-$name-$version"
  done < <(providers)
}

check() {
  local failed=0 reference list
  list=$(unpinned)
  while read -r reference; do
    if ! awk -v reference="$reference" '$1 == reference && $2 ~ /^20[0-9-]+$/ && NF > 2 {found = 1} END {exit !found}' tools/unpinned.txt; then
      echo "$reference is not pinned: run \`make pins\`, or add it to tools/unpinned.txt with the date and the reason" >&2
      failed=1
    fi
  done < <(printf '%s' "${list:+$list$'\n'}")
  while read -r reference _; do
    if ! grep -qxF -- "$reference" <<< "$list"; then
      echo "tools/unpinned.txt has $reference, which is pinned or not used: remove the line" >&2
      failed=1
    fi
  done < <(grep -v '^#' tools/unpinned.txt)
  return "$failed"
}

# sha256 prints the checksum of a provider's archive, which GitHub and Pulumi's own server publish; they have to agree.
sha256() {
  local name=$1 version=$2 archive=$3 first second
  first=$(curl --fail --silent --show-error --location "https://github.com/pulumi/pulumi-$name/releases/download/$version/$archive" | sha256sum)
  second=$(curl --fail --silent --show-error --location "https://get.pulumi.com/releases/plugins/$archive" | sha256sum)
  [ "$first" = "$second" ] || { echo "two servers have different archives $archive" >&2; return 1; }
  echo "${first%% *}  $archive"
}

update() {
  local reference tag digest name version platform new
  while read -r reference; do
    tag=${reference%@*}
    # Our own image is built by the commit that uses it.
    case $tag in ghcr.io/balancer/*) continue ;; esac
    digest=$(docker buildx imagetools inspect "$tag" --format '{{.Manifest.Digest}}' < /dev/null)
    # The reference ends where a blank or the line does: one image's name may begin another's.
    while read -r file; do
      PATTERN=$reference NEW=$tag@$digest perl -pi -e 's/(?<![\w.\/-])\Q$ENV{PATTERN}\E(?![\w.@:-])/$ENV{NEW}/g' "$file"
    done < <(files)
  done < <(images)
  new=$(mktemp)
  grep '^#' tools/providers.sha256 > "$new"
  while read -r name version; do
    for platform in linux-amd64 linux-arm64 darwin-arm64; do
      sha256 "$name" "$version" "pulumi-resource-$name-$version-$platform.tar.gz" >> "$new"
    done
  done < <(providers)
  cat "$new" > tools/providers.sha256
  rm "$new"
  echo "pinned; remove what is pinned now from tools/unpinned.txt:"
  check
}

case ${1:-} in
check) check ;;
update) update ;;
*) echo "usage: pins.sh check|update" >&2; exit 2 ;;
esac
