#!/usr/bin/env bash
# Runs end to end against moto, an independent AWS simulator, with the real providers: bootstrap, preview, provision,
# status, destroy. moto runs no tasks, so nothing is rolled out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

state=$(mktemp -d)
port=${MOTO_PORT:-5555}
moto_server --host 127.0.0.1 --port "$port" > "$state/moto.log" 2>&1 &
trap 'kill %1; rm -rf "$state"' EXIT

export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
export DEPLOYER_ENV=dev DEPLOYER_STATE_DIR=$state/deployer DEPLOYER_YES=true
curl --silent --retry 40 --retry-delay 1 --retry-connrefused --output /dev/null "$AWS_ENDPOINT_URL/moto-api/"

step() { echo "== deployer $*"; bin/deployer "$@"; }

step bootstrap
step bootstrap --dry-run
printf '%s\n' SUBGRAPH_API_URL=https://subgraph.example.org SENTRY_DSN=https://key@sentry.example.org/1 NODE_ENV=development |
  step secrets init --from-file -
aws ecr put-image --repository-name balancer-api --image-tag latest --image-manifest \
  '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"layers":[]}' > /dev/null
step preview --image-tag latest
# Public DNS does not delegate to simulated name servers, so components that need a certificate are left out.
components=network,database,queue,roles,cluster
step up --image-tag latest --component "$components"
step preview --image-tag latest
step status --only vpc,subnets,nat,database,queue,dead_letter_queue,secrets || [ $? -le 2 ]
step destroy
