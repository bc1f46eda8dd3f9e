# syntax=docker/dockerfile:1.25.0@sha256:0adf442eae370b6087e08edc7c50b552d80ddf261576f4ebd6421006b2461f12
# The deployer in a container: for scheduled jobs in ECS, and for pipelines outside GitHub. It is published for linux/amd64.
#
#   docker build --tag deployer .
#   docker run --rm --env-file aws.env deployer status --env all
#
# The stage entrypoint contains the one binary that the application's image copies, for linux/amd64 and linux/arm64. It needs neither
# the engine nor the providers:
#
#   docker build --target entrypoint --tag v3-backend-entrypoint .

# The compiler runs on the machine that builds, whichever platform the binary is for.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d AS build-entrypoint
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
COPY . .
ARG VERSION=unknown
ARG TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    GOARCH="${TARGETARCH}" make bin/entrypoint bin/entrypoint.licenses.txt VERSION="${VERSION}"

FROM scratch AS entrypoint
COPY LICENSE /LICENSE
COPY --from=build-entrypoint /src/bin/entrypoint.licenses.txt /entrypoint.licenses.txt
COPY --from=build-entrypoint /src/bin/entrypoint /entrypoint
ENTRYPOINT ["/entrypoint"]

FROM golang:1.26.8-bookworm@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d AS build-deployer
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
# The engine and the modules rarely change; they have layers of their own.
COPY tools/go.mod tools/go.sum tools/compiled.awk tools/
COPY Makefile ./
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build make bin/pulumi
# The providers in the versions of go.mod, in the directory of the deployer's engine.
COPY go.mod go.sum ./
COPY tools/providers.sh tools/providers.sha256 tools/
RUN --mount=type=cache,target=/go/pkg/mod make plugins STATE_DIR=/var/lib/deployer
COPY . .
ARG VERSION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    make bin/deployer bin/deployer.licenses.txt bin/pulumi.licenses.txt VERSION="${VERSION}"

FROM debian:bookworm-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251 AS deployer
RUN apt-get update \
 && apt-get install --no-install-recommends --yes ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --home-dir /home/deployer --shell /usr/sbin/nologin deployer
COPY --from=build-deployer --chown=deployer:deployer /var/lib/deployer /var/lib/deployer
COPY --from=build-deployer /src/bin/deployer /src/bin/pulumi /usr/local/bin/
COPY --from=build-deployer /src/bin/deployer.licenses.txt /src/bin/pulumi.licenses.txt /src/LICENSE /usr/share/doc/deployer/
COPY Pulumi.yaml Pulumi.*.yaml /project/
USER deployer
WORKDIR /project
ENV DEPLOYER_DIR=/project \
    DEPLOYER_STATE_DIR=/var/lib/deployer \
    DEPLOYER_PULUMI=/usr/local/bin/pulumi \
    PULUMI_SKIP_UPDATE_CHECK=true
HEALTHCHECK --interval=30s --timeout=5s --retries=3 CMD ["deployer", "version"]
ENTRYPOINT ["deployer"]
CMD ["--help"]
