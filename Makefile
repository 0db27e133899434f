# The commands of this project. `make` lists them.

# What to test, and further options of `go test`: make test PKG=./internal/store ARGS='-run Claim -v'
PKG ?= ./...
ARGS ?=

# The race detector, but not within SQLite, which is C turned into Go: that takes ten times
# as long there and finds nothing of ours. Nor are its driver's pointers checked.
RACE := -race -gcflags=modernc.org/...=-race=false -gcflags=github.com/glebarez/go-sqlite=-d=checkptr=0

# What --version tells.
BUILDINFO := github.com/schemacast/schemacast/internal/buildinfo
COMMIT = $(shell git describe --always --abbrev=12 --exclude '*' --dirty 2>/dev/null)

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these commands
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build the programs into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '-X $(BUILDINFO).commit=$(COMMIT)' -o bin/ ./cmd/...

# The browser's tests come last and alone: they look at times of fractions of a second.
.PHONY: test
test: ## Run every test against real PostgreSQL, Redis and Soketi; installs what is missing (PKG=, ARGS=)
	@failed=0; \
	if [ "$(PKG)" = ./... ]; then alone='-skip=^TestBrowser'; scripts/web.sh test || failed=1; fi; \
	scripts/with-services.sh go test $(RACE) -shuffle=on -count=1 -timeout=15m $$alone $(ARGS) $(PKG) || failed=1; \
	if [ "$(PKG)" = ./... ]; then $(MAKE) --no-print-directory test-browser || failed=1; fi; \
	exit $$failed

.PHONY: test-unit
test-unit: ## Run the tests that need no server, without the race detector (PKG=, ARGS=)
	go test -shuffle=on $(ARGS) $(PKG)

.PHONY: test-slow
test-slow: ## Also the tests that take minutes: asynq's own recovery, and a release made twice
	@SCHEMACAST_TEST_SLOW=1 scripts/with-services.sh go test $(RACE) -count=1 -timeout=20m $(ARGS) ./e2e ./deploy

.PHONY: test-faults
test-faults: ## Only the faults, with those that wait for minutes
	@SCHEMACAST_TEST_SLOW=1 scripts/with-services.sh go test $(RACE) -count=1 -timeout=40m -run TestFault $(ARGS) ./e2e

# How long the soak lasts.
DURATION ?= 10m

.PHONY: soak
soak: ## Random faults over thousands of schemas with three workers, and a report (DURATION=10m)
	@SCHEMACAST_SOAK=$(DURATION) scripts/with-services.sh go test -count=1 -v -timeout=0 -run '^TestSoak$$' $(ARGS) ./e2e

# A script of web/browser alone: make test-browser SCRIPT=life
SCRIPT ?=

.PHONY: test-browser
test-browser: ## Only the dashboard in a real browser, with figures; pictures go to .cache/screenshots (SCRIPT=)
	@SCHEMACAST_BROWSER=$(SCRIPT) SCHEMACAST_SCREENSHOTS=$${SCHEMACAST_SCREENSHOTS:-.cache/screenshots} \
		scripts/with-services.sh go test $(RACE) -count=1 -v -timeout=12m -run '^TestBrowser' ./e2e

.PHONY: test-laravel
test-laravel: ## Only the Composer package, and the worker against a real Laravel application
	@scripts/with-services.sh go test $(RACE) -count=1 -timeout=8m -run Laravel $(ARGS) ./laravel ./e2e

# How many formulas test-jsonata compares.
FORMULAS ?= 20000

.PHONY: test-jsonata
test-jsonata: ## Compare formulas with jsonata-js, in which customers run them (FORMULAS=20000)
	@cd internal/analysis/formula/testdata/jsonata && npm ci --ignore-scripts --no-progress --loglevel=error
	@SCHEMACAST_JSONATA=$(FORMULAS) go test -count=1 -v -timeout=0 -run Reference $(ARGS) ./internal/analysis/formula

# Where bench writes its figures.
FIGURES ?= .cache/bench.json

.PHONY: bench
bench: ## A worker beside its peers, and as work grows: 25 minutes on a quiet machine (ARGS='-only bars', ARGS=-quick, FIGURES=)
	@mkdir -p "$(dir $(FIGURES))"
	@scripts/with-services.sh go run ./bench/pipeline -json "$(FIGURES)" $(ARGS)

# How long each part of fuzz lasts.
FUZZTIME ?= 5m

.PHONY: fuzz
fuzz: ## Look for formulas that pass the gate and take too much, and for panics (FUZZTIME=5m)
	@nice go test -count=1 -v -timeout=0 -run '^TestBudget$$' ./internal/analysis/formula -budget $(FUZZTIME)
	@for target in FuzzGate FuzzVerify FuzzSample; do \
		nice go test -timeout=0 -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) ./internal/analysis/formula || exit 1; done

.PHONY: lint
lint: ## Check formatting, modules, the rings, style and shell scripts
	@scripts/lint.sh

.PHONY: vuln
vuln: ## Look for known vulnerabilities in what is imported; needs https://vuln.go.dev, or a copy (GOVULNDB=)
	@scripts/vuln.sh

# Which release to make: make release VERSION=v1.2.3
VERSION ?=

.PHONY: release
release: ## Make the archives of a release, their SBOMs and checksums in dist/ (VERSION=v1.2.3)
	@scripts/release.sh "$(VERSION)"

.PHONY: web
web: ## Build the dashboard of web/ into internal/admin/dist, which is committed
	@scripts/web.sh build

.PHONY: services
services: ## Run PostgreSQL, Redis and Soketi until Ctrl-C and print their addresses (POSTGRES_PORT=, REDIS_PORT=, SOKETI_PORT=)
	@POSTGRES_PORT=$(POSTGRES_PORT) REDIS_PORT=$(REDIS_PORT) SOKETI_PORT=$(SOKETI_PORT) scripts/with-services.sh

.PHONY: demo
demo: ## See it work with nothing but Go: analyses the files of examples/ live (ARGS= further flags of worker run)
	@go run ./cmd/worker run --embedded --demo $(ARGS)

.PHONY: listen
listen: ## Print the events of a tenant as they come, as the dashboard gets them (TENANT=; PUSHER_* as make services printed them)
	@scripts/listen.sh "$(TENANT)"

.PHONY: tidy
tidy: ## Format the source and tidy the modules
	go fmt ./...
	go mod tidy
