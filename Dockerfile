# syntax=docker/dockerfile:1.10
# The deployer in a container: for scheduled jobs in ECS, and for pipelines outside GitHub.
#
#   docker build --tag deployer .
#   docker run --rm --env-file aws.env deployer status --env all
#
# The stage entrypoint contains the one binary that the application's image copies:
#
#   docker build --target entrypoint --tag v3-backend-entrypoint .

ARG GO_VERSION=1.26
ARG DEBIAN=bookworm

FROM golang:${GO_VERSION}-${DEBIAN} AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
# The engine and the modules rarely change; they have layers of their own.
COPY tools/go.mod tools/go.sum tools/compiled.awk tools/
COPY Makefile ./
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build make bin/pulumi
COPY . .
ARG VERSION=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    make bin/deployer bin/entrypoint VERSION="${VERSION}"
# The providers in the versions of go.mod, in the directory of the deployer's engine.
RUN --mount=type=cache,target=/go/pkg/mod make plugins STATE_DIR=/var/lib/deployer

FROM scratch AS entrypoint
COPY --from=build /src/bin/entrypoint /entrypoint
ENTRYPOINT ["/entrypoint"]

FROM debian:${DEBIAN}-slim AS deployer
RUN apt-get update \
 && apt-get install --no-install-recommends --yes ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home --home-dir /home/deployer --shell /usr/sbin/nologin deployer
COPY --from=build --chown=deployer:deployer /var/lib/deployer /var/lib/deployer
COPY --from=build /src/bin/deployer /src/bin/pulumi /usr/local/bin/
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
