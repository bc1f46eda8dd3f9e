#!/usr/bin/env bash
# Prints the step output image: IMAGE_TAG with the digest that it has now, so that what is approved is what is deployed. Where APPROVAL=true
# an image has to be named; elsewhere the run builds one if it is not.
set -euo pipefail

# fail prints an error annotation.
fail() { echo "::error::$1" >&2; exit 3; }

if [ -z "${IMAGE_TAG:-}" ]; then
  [ "${APPROVAL:-}" != true ] || fail "$ENVIRONMENT is approved with its image: name one that exists, such as the one that runs in staging"
  exit 0
fi
tag=${IMAGE_TAG%%@*}
digest=${IMAGE_TAG#"$tag"}
found=$(bin/deployer images --env "$ENVIRONMENT" --limit 0 --format json |
  jq -r --arg tag "$tag" '.images[] | select(.digest == $tag or (.tags | index($tag))) | .digest')
[ -n "$found" ] || fail "the registry has no image $tag: \`deployer images\` lists those that exist"
[ -z "$digest" ] || [ "$digest" = "@$found" ] || fail "the tag $tag has moved: it is $found now"
[ "$tag" = "$found" ] || found=$tag@$found
echo "image=$found"
echo "The image for $ENVIRONMENT is \`$found\`." >> "$GITHUB_STEP_SUMMARY"
