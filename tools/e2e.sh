#!/usr/bin/env bash
# Runs an environment's life with the real providers in an account on loopback (tools/e2e/account.py): bootstrap, preview, a deployment,
# preview, drift, status, a deployment of code, destroy. The account runs no tasks, so a rollout never ends: its time limit ends it.
# What the account cannot keep is in tools/e2e/gaps.txt; any other difference is a failure.
#
# PULUMI_DEBUG_PROVIDERS names providers that listen already; otherwise those of `make plugins` start. AWS_ENDPOINT_URL names an account
# that exists already. The domain has to look delegated: /etc/resolv.conf names 127.0.0.1, or what needs a certificate is left out.
# E2E_RESOLVER=true changes that file, with sudo: on a throw-away machine only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

state=$(mktemp -d)
trap 'jobs -p | xargs -r kill; rm -rf "$state"' EXIT
if [ "${E2E_RESOLVER:-}" = true ]; then
  sudo sysctl --quiet --write net.ipv4.ip_unprivileged_port_start=53
  sudo rm /etc/resolv.conf
  echo nameserver 127.0.0.1 | sudo tee /etc/resolv.conf > /dev/null
fi
if [ -z "${AWS_ENDPOINT_URL:-}" ]; then
  export AWS_ENDPOINT_URL=http://127.0.0.1:${MOTO_PORT:-5555}
  # The interpreter that has moto.
  python=$(head -n 1 "$(command -v moto_server)" | sed 's/^#!//')
  case $python in */python*) ;; *) python=python3 ;; esac
  names=(); if grep -qx 'nameserver 127.0.0.1' /etc/resolv.conf; then names=(127.0.0.1:53); fi
  "$python" tools/e2e/account.py "${AWS_ENDPOINT_URL##*:}" "${names[@]}" > "$state/account.log" 2>&1 &
fi
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export DEPLOYER_ENV=${DEPLOYER_ENV:-staging} DEPLOYER_STATE_DIR=$state/deployer DEPLOYER_YES=true
if [ -n "${PULUMI_DEBUG_PROVIDERS:-}" ]; then
  export PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true
else
  mkdir -p .deployer/pulumi "$state/deployer"
  ln -s "$PWD/.deployer/pulumi" "$state/deployer/pulumi"
fi
curl --silent --retry 40 --retry-delay 1 --retry-connrefused --output /dev/null "$AWS_ENDPOINT_URL/moto-api/"

# step CODES ARGUMENT... runs a command that exits with one of the codes, such as 0,2. Its output is also in $state/out. Where moto's server
# closed a connection in the middle of an answer, the same command continues.
step() {
  local codes=$1 code=0; shift
  for _ in 1 2 3; do
    echo "== deployer $*"
    code=0; bin/deployer "$@" 2>&1 | tee "$state/out" || code=${PIPESTATUS[0]}
    grep -q 'use of closed network connection' "$state/out" || break
  done
  case ,$codes, in *,$code,*) ;; *) echo "exit $code, not $codes"; exit 1 ;; esac
  if grep -n ' SDK [0-9/]* \| DEBUG ' "$state/out"; then echo "lines of the SDK's log"; exit 1; fi
}

# differences fails where the JSON of the last step has a change that gaps.txt does not name: the change, the resource, its properties.
differences() {
  sed -n '/^{/,$p' "$state/out" |
    jq -r '(.steps // .account + .program)[] | "\(.change // .operation) \(.type) \(.name) \([.differences[]?.path] | join(" "))"' |
    sed 's/ *$//' | sort -u > "$state/changes"
  if grep -vxFf <(grep -v '^#' tools/e2e/gaps.txt) "$state/changes"; then
    echo "these differ, and tools/e2e/gaps.txt does not name them"; exit 1
  fi
  if sed -n '/^{/,$p' "$state/out" | jq -e '[.. | objects | select(has("path") and (.old == .new and has("old") or .stack == .account and has("stack")))] | any' > /dev/null; then
    echo "a difference has two equal sides"; exit 1
  fi
}

put_image() {
  aws ecr put-image --repository-name balancer-api --image-tag "$1" --image-manifest-media-type \
    application/vnd.docker.distribution.manifest.v2+json --image-manifest "$(jq -cn --arg digest "sha256:$(echo "$1" | sha256sum | cut -c1-64)" \
    '{schemaVersion: 2, mediaType: "application/vnd.docker.distribution.manifest.v2+json", config: {digest: $digest}, layers: [{digest: $digest}]}')" > /dev/null
}

step 0 bootstrap
step 0 bootstrap --dry-run
printf '%s\n' SUBGRAPH_API_URL=https://subgraph.example.org SENTRY_DSN=https://key@sentry.example.org/1 NODE_ENV=production |
  step 0 secrets init --from-file -
put_image 1.0.0-aaa
put_image 1.0.1-bbb

step 0 preview --image-tag 1.0.0-aaa
if grep -qx 'nameserver 127.0.0.1' /etc/resolv.conf; then
  # The tasks never run, so the time limit ends the rollout.
  step 1 up --image-tag 1.0.0-aaa --skip migrate --timeout "${E2E_ROLLOUT:-6m}"
  grep -q '^rollout  *started' "$state/out"
  step 0 preview --image-tag 1.0.0-aaa --format json --quiet
  differences
  step 0,2 drift --format json --quiet
  differences
  step 0,1,2 status
  # A deployment is refused during another's rollout. Once that has ended, the next one begins.
  step 3 up --code-only --image-tag 1.0.1-bbb --skip migrate
  curl --silent --fail --request POST "$AWS_ENDPOINT_URL/complete" > /dev/null
  step 1 up --code-only --image-tag 1.0.1-bbb --skip migrate --timeout 1m
  grep -q '^rollout  *started' "$state/out"
else
  step 0 up --image-tag 1.0.0-aaa --component network,database,queue,roles,cluster
  step 0 preview --image-tag 1.0.0-aaa
  step 0,1,2 status --only vpc,subnets,nat,database,queue,dead_letter_queue,secrets
fi
# Nothing destroys production.
if [ "$DEPLOYER_ENV" = production ]; then step 3 destroy; else step 0 destroy; fi
