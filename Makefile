# Everything is built from source with Go alone; `make` lists the targets.
SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PULUMI_VERSION := v3.274.1
VERSION        := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REHEARSED_TAG  := 1.41.8-abc123def
REHEARSAL      := --state-dir .deployer/rehearsal

# The deployer is built with the flags of go test and the linter, so that the AWS packages are compiled only once.
BUILD_FLAGS := -buildvcs=false -v
TOOL_FLAGS  := $(BUILD_FLAGS) -trimpath -ldflags "-s -w"
# go build -v names each package that it compiles; a line for every fifty is enough to show progress.
COMPILED := 2>&1 | awk -f tools/compiled.awk

## help: this list
.PHONY: help
help:
	@echo "usage: make TARGET"
	@sed -n 's/^## \([a-z0-9]*\): \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

ENGINE := github.com/pulumi/pulumi/pkg/v3/cmd/pulumi

## build: bin/deployer, bin/entrypoint, and bin/pulumi, the engine that the deployer runs
.PHONY: build
build: bin/deployer bin/entrypoint bin/pulumi

# Go detects changes better than make does.
.PHONY: bin/deployer
bin/deployer:
	@echo "== building the deployer $(VERSION) (the first time compiles the AWS packages, about 8 minutes)"
	@go build $(BUILD_FLAGS) -ldflags "-s -w -X main.version=$(VERSION)" -o $@ ./deployer $(COMPILED)

# The application's image contains it: static, so that it runs in any image, and small.
ENTRYPOINT_LIMIT := 15728640
.PHONY: bin/entrypoint
bin/entrypoint:
	@echo "== building the entrypoint $(VERSION)"
	@CGO_ENABLED=0 go build $(BUILD_FLAGS) -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $@ ./entrypoint $(COMPILED)
	@size=$$(wc -c <$@); if [ "$$size" -ge $(ENTRYPOINT_LIMIT) ]; then \
	  echo "$@ has $$size bytes, but the limit is $(ENTRYPOINT_LIMIT)"; exit 1; fi

# The license texts of what is linked into a binary, which go with it; of the engine all, because it has a module of its own.
.PHONY: bin/deployer.licenses.txt bin/entrypoint.licenses.txt bin/pulumi.licenses.txt
bin/deployer.licenses.txt bin/entrypoint.licenses.txt: bin/%.licenses.txt:
	@mkdir -p bin
	@GOOS= GOARCH= go run ./internal/licenses ./$* > $@
bin/pulumi.licenses.txt:
	@mkdir -p bin
	@GOOS= GOARCH= go run ./internal/licenses -C tools $(ENGINE) > $@

# The Automation API refuses an engine without a version, so it is linked in.
bin/pulumi: tools/go.mod
	@echo "== building the Pulumi engine $(PULUMI_VERSION), once, about 3 minutes"
	@go build -C tools $(BUILD_FLAGS) -trimpath \
	  -ldflags "-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=$(PULUMI_VERSION)" \
	  -o ../$@ $(ENGINE) $(COMPILED)
	@touch $@

## rehearse: deploy staging to a fresh simulated account and show its health
.PHONY: rehearse
rehearse: build
	@echo "== a fresh simulated account"
	bin/deployer local reset --yes $(REHEARSAL)
	@echo "== deploying $(REHEARSED_TAG) to staging"
	bin/deployer up --env staging --image-tag $(REHEARSED_TAG) --local --yes $(REHEARSAL)
	@echo "== the results of the probes"
	bin/deployer health --env staging --local $(REHEARSAL)
	@echo "== the results of the checks"
	bin/deployer status --env staging --local --format summary $(REHEARSAL)

# Without symbols a test binary links in two thirds of the time. The slowest packages start first. They wait for processes and
# for retries more than they compute, so twice as many packages as cores run at once. The scripts start hundreds of short
# processes, which spend a fifth less of the processor where they collect garbage less often.
TEST := GOGC=400 go test -timeout 60m -ldflags=-s -p $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) * 2)))
SLOWEST := ./deployer/command ./deployer/engine ./entrypoint ./checks ./deployer/lock

## test: every test, including those that run the real engine
.PHONY: test
test: bin/pulumi
	@echo "== running the tests"
	$(TEST) $(SLOWEST) ./...

## quick: every test that needs no engine, in less than a minute
.PHONY: quick
quick:
	@echo "== running the tests that need no engine"
	$(TEST) -short $(SLOWEST) ./...

## check: formatting, vet, wording, linters, tidy modules, pins, workflows, the size of the entrypoint
.PHONY: check
check: bin/entrypoint bin/golangci-lint bin/actionlint
	@echo "== gofmt"
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi
	@echo "== go vet (the first time compiles the AWS packages, about 8 minutes)"
	@go build $(BUILD_FLAGS) ./... $(COMPILED)
	@go vet ./...
	@echo "== wording"
	@go test -count=1 ./internal/wording
	@echo "== golangci-lint"
	@bin/golangci-lint run --allow-parallel-runners ./...
	@for module in . tools tools/lint tools/actionlint tools/scan; do \
	  echo "== go mod tidy in $$module"; go mod tidy -C $$module -diff; done
	@echo "== pins"
	@tools/pins.sh check
	@echo "== actionlint"
	@bin/actionlint .github/workflows/*.yml examples/api/.github/workflows/*.yml
	@if command -v shellcheck > /dev/null; then \
	  echo "== shellcheck"; shellcheck .github/scripts/*.sh tools/*.sh .ci/run; \
	else echo "== shellcheck is not installed: the scripts and workflows are not checked"; fi

# The linters have modules of their own: their dependencies conflict with the engine's and with each other's.
bin/golangci-lint: tools/lint/go.mod
	@echo "== building golangci-lint, once, about 2 minutes"
	@go build -C tools/lint $(TOOL_FLAGS) -o ../../$@ \
	  github.com/golangci/golangci-lint/v2/cmd/golangci-lint $(COMPILED)
	@touch $@

bin/actionlint: tools/actionlint/go.mod
	@echo "== building actionlint, once"
	@go build -C tools/actionlint $(TOOL_FLAGS) -o ../../$@ github.com/rhysd/actionlint/cmd/actionlint $(COMPILED)
	@touch $@

## e2e: the life of an environment with the real providers in an account of moto, which has to be installed
.PHONY: e2e
e2e: build
	@tools/e2e.sh

## fuzz: search entrypoint and configuration for crashes and leaks for FUZZTIME (10m), all targets together
.PHONY: fuzz
fuzz:
	@FUZZTIME=$(or $(FUZZTIME),10m) tools/fuzz.sh ./entrypoint ./configuration ./internal/sanitize ./deployer/command

## bench: how much time the deployer adds to the engine's own, and status to AWS's, as ratios
.PHONY: bench
bench: build
	@echo "== measuring"
	go run ./bench
	@echo "== status of a cluster with 1,000 services and 5,000 tasks, 50 ms a call"
	go test -run '^$$' -bench LargeEnvironment ./checks

## scan: known vulnerabilities in the code that is called (queries vuln.go.dev), and secrets in the history
.PHONY: scan
scan: bin/govulncheck bin/gitleaks
	@echo "== govulncheck"
	@bin/govulncheck ./...
	@echo "== govulncheck of the engine"
	@bin/govulncheck -C tools $(ENGINE)
	@echo "== gitleaks"
	@bin/gitleaks git --no-banner --redact .

bin/govulncheck: tools/scan/go.mod
	@echo "== building govulncheck, once"
	@go build -C tools/scan $(TOOL_FLAGS) -o ../../$@ golang.org/x/vuln/cmd/govulncheck $(COMPILED)
	@touch $@

bin/gitleaks: tools/scan/go.mod
	@echo "== building gitleaks, once"
	@go build -C tools/scan $(TOOL_FLAGS) -o ../../$@ github.com/zricethezav/gitleaks/v8 $(COMPILED)
	@touch $@

## pins: look up the digests of images and the checksums of providers that are used, and write them (needs docker and the network)
.PHONY: pins
pins:
	@tools/pins.sh update

## plugins: the providers in the versions of go.mod, below STATE_DIR, verified with tools/providers.sha256
STATE_DIR ?= .deployer
.PHONY: plugins
plugins: bin/pulumi
	@PULUMI_HOME=$(abspath $(STATE_DIR))/pulumi tools/providers.sh bin/pulumi

## dist: the binaries of a release for GOOS and GOARCH, with their licenses and checksums
.PHONY: dist
dist: GOOS := $(shell go env GOOS)
dist: GOARCH := $(shell go env GOARCH)
dist:
	@echo "== building the release $(VERSION) for $(GOOS)/$(GOARCH)"
	@mkdir -p dist
	@for binary in deployer entrypoint; do \
	  CGO_ENABLED=0 GOOS=$(GOOS) GOARCH=$(GOARCH) go build $(TOOL_FLAGS) -ldflags "-s -w -X main.version=$(VERSION)" \
	    -o dist/$${binary}_$(GOOS)_$(GOARCH) ./$$binary $(COMPILED); done
	@GOOS= GOARCH= go build $(BUILD_FLAGS) -o bin/licenses ./internal/licenses $(COMPILED)
	@{ cat LICENSE; GOOS=$(GOOS) GOARCH=$(GOARCH) bin/licenses ./deployer ./entrypoint; } > dist/licenses_$(GOOS)_$(GOARCH)
	@cd dist && sha256sum -- {deployer,entrypoint,licenses}_$(GOOS)_$(GOARCH) > SHA256SUMS_$(GOOS)_$(GOARCH) && \
	  cat SHA256SUMS_$(GOOS)_$(GOARCH)

## chaos: kill N deployments (200), change a file between EDITS (300) pairs of deployments, and disturb BUCKET (100) locks, at random from SEED
.PHONY: chaos
chaos: build
	@echo "== kills and changes at fixed times"
	CHAOS=1 $(TEST) -count=1 ./chaos
	@echo "== kills and changes chosen by the seed"
	go run ./chaos -n $(or $(N),200) -edits $(or $(EDITS),300) -bucket $(or $(BUCKET),100) $(if $(SEED),-seed $(SEED)) $(if $(PARALLEL),-parallel $(PARALLEL))

## clean: remove what was built and the simulated account
.PHONY: clean
clean:
	rm -rf bin dist .deployer
