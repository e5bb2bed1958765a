# photopass: `make` lists what there is. Every target works from a fresh clone.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

TOOLS := .tools
STATICCHECK := $(TOOLS)/bin/staticcheck-v0.8.2
REVIVE := $(TOOLS)/bin/revive-v1.13.0
ACTIONLINT := $(TOOLS)/bin/actionlint-v1.7.12
GOVULNCHECK := $(TOOLS)/bin/govulncheck-v1.3.0
CYCLONEDX := $(TOOLS)/bin/cyclonedx-gomod-v1.10.0

## Every day

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^## /{printf "\n%s\n", substr($$0, 4)} /^[a-z-]+:.*## /{printf "  %-14s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: go ## Run everything on localhost with a fake Instagram (ARGS="-tls -addr localhost:9000")
	@mkdir -p bin && go build -o bin/photopass-local ./cmd/local
	@exec bin/photopass-local $(ARGS)

.PHONY: check
check: lint ## Check in a minute what Go alone can: make lint and most tests
	@echo tests
	@scripts/go-test -short ./...
	@echo "make check leaves out browser, moto, built executables, -race and most interleavings: make test runs them"

.PHONY: test
test: go ## Prove the project in five minutes: make tools, make lint, and all tests with -race
	@scripts/parts try-tools lint race

.PHONY: verify
verify: go ## Prove the rest: template, reproducible, interleavings, sam-local and fuzz, below
	@scripts/parts template reproducible interleavings sam-local fuzz

.PHONY: generate
generate: go ## Make the pages' Go code again from the .templ files, and docs/cli.md from the command's help
	go tool templ generate -path internal
	go run ./cmd/photopass help-markdown >docs/cli.md

.PHONY: bench
bench: go ## Print time, bytes and allocations of each handler
	go test -run '^$$' -bench . -benchmem ./internal/...

## Parts of make test

.PHONY: tools
tools: go $(STATICCHECK) $(REVIVE) $(ACTIONLINT) ## Install what the tests use: gcc, chromium, axe-core, moto, SAM, checkov, linters
	@scripts/tools

# Without a tool its tests are left out, but not in CI.
.PHONY: try-tools
try-tools: go
	@$(MAKE) --no-print-directory tools || [[ $${CI:-} != true ]]

.PHONY: lint
lint: go $(STATICCHECK) $(REVIVE) $(ACTIONLINT) ## Check formatting, vet, staticcheck, doc comments, generated files, go.mod, imports, workflows
	@scripts/lint $(STATICCHECK) $(REVIVE) $(ACTIONLINT)

.PHONY: race
race: go ## Run the tests with -race (PART=unit, store, functions, browser or interleavings; default all)
	@scripts/need-cc
	@packages=$$(scripts/packages $(PART)) && scripts/go-test -race -p 3 -timeout 9m -skip '^TestSAMLocal$$' $$packages
	@echo "TestSAMLocal needs Docker: make sam-local runs it, which is a part of make verify"

## Parts of make verify

.PHONY: template
template: go ## Check template.yaml, its translation, its build, and the executables' architecture and size
	@scripts/need-python sam
	@scripts/need-python checkov
	@scripts/check-template

.PHONY: reproducible
reproducible: go ## Build the functions in two directories, once from nothing, and compare them bit for bit
	@scripts/check-reproducible

.PHONY: interleavings
interleavings: go ## Force every pair of operations into each other, on DynamoDB; make test runs a fifth
	@scripts/need-cc
	@scripts/need-python moto
	PHOTOPASS_LONG=true scripts/go-test -race -timeout 20m -run '^TestInterleavings$$/^dynamo$$' ./internal/test/interleaving

.PHONY: sam-local
sam-local: go ## Drive make local-api in a real browser, in both dialects, and see that it leaves nothing behind
	@scripts/need-chromium
	@scripts/need-python moto
	@scripts/need-python sam
	PHOTOPASS_SAM_LOCAL=true scripts/go-test -count=1 -timeout 15m -run '^TestSAMLocal$$' ./internal/test/browsertest

.PHONY: fuzz
fuzz: go ## Fuzz what parses hostile input, FUZZTIME for each target (200000x)
	@scripts/fuzz $(or $(FUZZTIME),200000x)

## Now and then

.PHONY: mutate
mutate: go ## Put faults into the code, one at a time, and see that a test fails for each (ONLY="NAME...")
	@go run ./scripts/mutate scripts/mutate/mutations.txt $(ONLY)

.PHONY: govulncheck
govulncheck: go $(GOVULNCHECK) ## Look for known weaknesses in what is linked; asks vuln.go.dev
	@$(GOVULNCHECK) ./...

.PHONY: sbom
sbom: build $(CYCLONEDX) ## List what is in each executable into bin/sbom/ (CycloneDX)
	@mkdir -p bin/sbom
	@version=$$(go run ./cmd/photopass version); for name in $(FUNCTIONS); do \
		$(CYCLONEDX) bin -json -std -version "$$version" -output bin/sbom/$$name.json bin/$$name/bootstrap; \
	done

## AWS

.PHONY: local-api
local-api: go ## Run the functions under sam local, with moto as AWS and the fake Instagram (PORT=3000)
	@scripts/need-python moto
	@scripts/need-python sam
	@scripts/with-docker scripts/local-api

# The executables. SAM's makefile builder calls build-<LogicalId> with ARTIFACTS_DIR,
# through scripts/<architecture>/Makefile.
ARCH ?= arm64
FUNCTIONS := AuthorizeFunction CallbackFunction ProfileFunction RefreshFunction NoticesFunction TokenFunction

.PHONY: build
build: $(FUNCTIONS:%=build-%) ## Build all functions into bin/ (ARCH=x86_64; default arm64)
	@scripts/sizes bin

.PHONY: $(FUNCTIONS:%=build-%)
$(FUNCTIONS:%=build-%): build-%: go
	@scripts/build-function "$(ARCH)" $* "$(or $(ARTIFACTS_DIR),bin/$*)"

# An environment of samconfig.toml.
ENVIRONMENT = $(or $(ENV),default)

.PHONY: deploy
deploy: go ## Build and deploy, with questions (ENV=dev or prod, ARCH=x86_64, ARGS="what sam deploy takes instead of --guided")
	@scripts/need-python sam
	@scripts/build-deployment $(ARCH) $(ENVIRONMENT) $(or $(ARGS),--guided)
	@scripts/sam deploy --config-env $(ENVIRONMENT) $(or $(ARGS),--guided)

.PHONY: package
package: go ## Make bin/package, which a pipeline deploys with the AWS command line alone (ENV=dev or prod, ARCH=x86_64)
	@scripts/need-python sam
	@rm -rf bin/package && mkdir -p bin/package
	@scripts/build-deployment $(ARCH) $(ENVIRONMENT)
	@.tools/sam/bin/python scripts/zip-functions .aws-sam/build/template.yaml bin/package
	@.tools/sam/bin/python scripts/deploy-parameters $(ENVIRONMENT) >bin/package/parameters.json

.PHONY: destroy
destroy: ## Delete the stack, after asking for its name, and say what stays (ENV=dev or prod)
	@scripts/need-python sam
	@.tools/sam/bin/python scripts/destroy $(ENVIRONMENT)

# The tools that are Go programs, and Go itself.

.PHONY: go
go:
	@scripts/need-go

$(STATICCHECK):
	@scripts/go-tool honnef.co/go/tools/cmd/staticcheck $@

$(REVIVE):
	@scripts/go-tool github.com/mgechev/revive $@

$(ACTIONLINT):
	@scripts/go-tool github.com/rhysd/actionlint/cmd/actionlint $@

$(GOVULNCHECK):
	@scripts/go-tool golang.org/x/vuln/cmd/govulncheck $@

$(CYCLONEDX):
	@scripts/go-tool github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod $@
