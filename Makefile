# `make` lists the targets. All tools are pinned and live in a cache outside the tree: see internal/testenv/tools.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The packages whose concurrency is worth the race detector's price.
RACE := ./chunk/... ./dispatcher/... ./internal/embedded/... ./internal/queue/... ./internal/table/... ./state/... \
	./status/... ./workers/...

# The packages whose benchmarks need no server and no minutes.
MICRO := ./chunk/... ./pipeline ./cql ./workers ./dispatcher ./status

# What nightly takes: generated files, and the time of each fuzzer.
FILES ?= 1000000
FUZZTIME ?= 1m

# make test PKG=./workers/... ARGS='-run Reject -v'
PKG ?= ./...
ARGS ?=

# make chaos ROUNDS=1 SEED=68 replays one round; FROM=k begins with round k.
ROUNDS ?= 200
SEED ?= 1
FROM ?=

# smoke, ramp, soak, spike, many-small or few-huge: docs/loadtest.md
SCENARIO ?= smoke

# Modules of their own, whose dependencies the program does without, and whose tests are quick.
NESTED ?= loadtest/k6 tilt manifests/policytest

WITH_SERVERS := bin/withservers
TEST := PENSTOCK_TEST_BINARY=$(CURDIR)/bin/penstock go test -timeout 20m

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## bin/penstock, and every other package compiles
	go build ./...
	go build -o bin/penstock ./cmd/penstock

.PHONY: setup
setup: setup-servers ## install what tests start: JDK, Cassandra, MinIO, nats-server, promtool (test does it by itself)
	@go run ./internal/testenv/cmd/setup promtool > /dev/null

.PHONY: setup-servers
setup-servers:
	@go run ./internal/testenv/cmd/setup servers
	@go build -o $(WITH_SERVERS) ./internal/testenv/cmd/withservers

.PHONY: test
test: setup build ## all tests, against real servers; PKG and ARGS choose: make test PKG=./workers/... ARGS='-run Reject -v'
	@$(WITH_SERVERS) env $(TEST) $(ARGS) $(PKG)

.PHONY: image
image: ## the image for amd64 and arm64 with its bill of materials, in bin/image, by buildah from scratch
	@manifests/image.sh
	@go test ./internal/manifests -run '^TestImageArchive$$' -count 1 -image $(CURDIR)/bin/image/penstock.tar

.PHONY: race
race: setup build ## the packages that run concurrently, under the race detector
	@$(WITH_SERVERS) env $(TEST) -race $(ARGS) $(RACE)

.PHONY: chaos
chaos: setup ## ROUNDS jobs under kills, lost queues and cut connections, held against an oracle; goes on where it broke off
	@CHAOS_OWN=1 CHAOS_ROUNDS=$(ROUNDS) CHAOS_SEED=$(SEED) CHAOS_FROM=$(FROM) \
		$$(unshare -rm true 2>/dev/null && echo unshare -rm env CHAOS_DISK=1) \
		go test ./internal/chaos -run '^TestRounds$$' -count 1 -timeout 0 -v $(ARGS)

.PHONY: mutants
mutants: setup ## plant the faults of internal/mutants one by one: a test must notice each
	@$(WITH_SERVERS) go test ./internal/mutants -timeout 1h -v -plant $(ARGS)

.PHONY: property
property: ## split FILES generated files, and hold them against slow readers; a failing one says how to replay it
	@go test ./internal/reference -timeout 6h -v -run OverChunks -files $(FILES) -first $$(date +%s)000000 $(ARGS)

.PHONY: fuzz
fuzz: ## every fuzzer for FUZZTIME; what one finds is left in its package's testdata, as a test
	@grep -roE '^func Fuzz\w+' --include='*_test.go' . | sed -E 's|/[^/]*:func | |' | sort | { result=0; \
	while read -r folder name; do \
		echo "fuzz: $$folder $$name"; \
		go test "$$folder" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $(ARGS) || result=1; \
	done; exit $$result; }

# Each part runs even where another fails.
.PHONY: nightly
nightly: ## what takes too long for every change: property, fuzz, race, mutants, model, keda-test, bench-smoke, chaos; hours
	@$(MAKE) --no-print-directory --keep-going property fuzz race mutants model keda-test bench-smoke chaos

.PHONY: model
model: ## walk the protocol's states in larger worlds than test does; takes minutes and gigabytes
	@go test -timeout 2h -v -run '^TestProtocol$$' ./internal/model -large $(ARGS)

.PHONY: bench
bench: ## Penstock beside DSBulk, cqlsh COPY and a bare gocql loop: tables and plots in bin/sidebyside; ARGS='-files 1,2 -rounds 3'
	@go run ./loadtest/sidebyside $(ARGS)

.PHONY: bench-smoke
bench-smoke: ## bench with 2,000 rows, to see that it works: its figures say nothing
	@$(MAKE) --no-print-directory bench ARGS='-rows 2000 -rounds 1 -warmup 0 -files 1,2 -tools penstock,bare -out bin/smoke'

.PHONY: bench-go
bench-go: setup build ## all Go benchmarks, with those of bench-load
	@$(WITH_SERVERS) -long env $(TEST) -timeout 2h -run '^$$' -bench . -benchmem $(ARGS) $(PKG)

# What bench-micro's figures are held against: a run of bench-baseline.
BASELINE := internal/bench/testdata/bench-micro.txt

.PHONY: bench-micro
bench-micro: ## parse, scan, transform, group, encode, plan, dispatch, fold: each step alone, beside the committed baseline
	@mkdir -p bin
	@go test -run '^$$' -bench . -benchmem -benchtime 0.2s -count 6 $(ARGS) $(MICRO) | tee bin/bench-micro.txt
ifeq ($(ARGS),)
	@$(MAKE) --no-print-directory setup build
	@$(WITH_SERVERS) -cassandra=false env $(TEST) -run '^$$' -bench 'Dispatch|FoldEvents' -benchtime 1x \
		./internal/bench | tee -a bin/bench-micro.txt
endif
	@benchstat=$$(go run ./internal/testenv/cmd/setup benchstat) && "$$benchstat" $(BASELINE) bin/bench-micro.txt

.PHONY: bench-baseline
bench-baseline: ## make the last run of bench-micro the baseline of the next ones
	@grep -E '^(goos|goarch|pkg|cpu|Benchmark)' bin/bench-micro.txt > $(BASELINE)

.PHONY: bench-load
bench-load: setup build ## whole jobs: 1 GB loads, a million objects planned, the demo from nothing; takes half an hour
	@$(WITH_SERVERS) -long env $(TEST) -timeout 2h -run '^$$' -bench 'Load|Plan|Demo' -benchtime 1x $(ARGS) ./internal/bench

.PHONY: bench-scale
bench-scale: setup build ## 1 to 64 workers, 10 MB to 10 GB, a million objects, a million chunks; takes an hour
	@$(WITH_SERVERS) -cassandra=false env $(TEST) -timeout 3h -run '^$$' -bench 'Scale|Plan|Dispatch|FoldEvents' \
		-benchtime 1x $(ARGS) ./internal/bench

.PHONY: bench-wait
bench-wait: setup build ## from a small job's publication to its first row, what is asked of the object store, and a stream of such jobs
	@$(WITH_SERVERS) env $(TEST) -run '^$$' -bench 'Latency|Requests|Stream' -benchtime 1x -v $(ARGS) ./internal/bench

.PHONY: cover
cover: setup build ## statement coverage by function in bin/cover.txt, the total here
	@$(WITH_SERVERS) env $(TEST) -coverpkg=./... -coverprofile=bin/cover.out $(ARGS) $(PKG)
	@go tool cover -func=bin/cover.out > bin/cover.txt
	@tail -n 1 bin/cover.txt

.PHONY: servers
servers: setup ## start the shared servers and print their environment, until ctrl-C
	@$(WITH_SERVERS)

.PHONY: kube-setup
kube-setup: ## build Kubernetes and KEDA, install containerd and etcd: what e2e runs; 20 minutes, once
	@go run ./internal/testenv/cmd/setup kube

.PHONY: keda-test
keda-test: setup build ## manifests/ in KEDA's own types, its scaler against a real nats-server; building KEDA's scalers takes minutes
	@server=$$(go run ./internal/testenv/cmd/setup nats-server) && cd manifests/kedatest && \
		PENSTOCK_TEST_BINARY=$(CURDIR)/bin/penstock PENSTOCK_TEST_NATS_SERVER="$$server" CGO_ENABLED=0 \
		go test -trimpath -count 1 $(ARGS) ./...

.PHONY: e2e-build
e2e-build: kube-setup
	@mkdir -p bin/e2e && \
		CGO_ENABLED=0 go build -trimpath -tags timetzdata -o bin/e2e/penstock ./cmd/penstock && \
		go build -o bin/withkube ./internal/kube/cmd/withkube && \
		go test -c -tags e2e -o bin/e2e/e2e.test ./internal/kube/e2e && \
		IMAGE=localhost/penstock:e2e ARCHS=$$(go env GOARCH) OUT=bin/e2e manifests/image.sh && \
		mv bin/e2e/penstock-$$(go env GOARCH).tar bin/e2e/image.tar && echo "e2e: programs and image in $$SECONDS s"

# Tests run in a cluster of their own; what is left to look at goes to bin/e2e.
E2E := cd internal/kube/e2e && $(CURDIR)/bin/withkube -logs $(CURDIR)/bin/e2e/logs $(CURDIR)/bin/e2e/e2e.test \
	-penstock $(CURDIR)/bin/e2e/penstock -image $(CURDIR)/bin/e2e/image.tar -out $(CURDIR)/bin/e2e -test.v

.PHONY: e2e
e2e: e2e-build ## manifests/ on a real Kubernetes with KEDA, under load, while pods come and go: timeline and logs in bin/e2e
	@$(E2E) -test.skip '^TestScaleIn$$' -test.timeout 20m $(ARGS)

.PHONY: e2e-rounds
e2e-rounds: ROUNDS = 20
e2e-rounds: e2e-build ## ROUNDS loads on that Kubernetes, each with a scale-in that takes busy workers away; a minute each
	@$(E2E) -test.run '^TestScaleIn$$' -test.timeout 0 -rounds $(ROUNDS) $(ARGS)

.PHONY: load-test
load-test: ## k6 on a penstock up, or on what PENSTOCK_NATS_URL names; SCENARIO=many-small; summaries in bin/load
	@go build -o bin/penstock ./cmd/penstock
	@go build -C loadtest/k6 -o $(CURDIR)/bin/ . ./k6run
	@bin/k6run -scenario $(SCENARIO) -penstock bin/penstock -k6 bin/k6 -folder loadtest/k6 -out bin/load $(ARGS)

# Go does not know that they read files outside of their modules, and would take an old result for that of new manifests.
.PHONY: test-nested
test-nested: ## the tests of the modules that are not in ./...: the load test, the Tiltfile, PodSecurity; KEDA's have keda-test
	@result=0; for module in $(NESTED); do \
		(cd "$$module" && go vet ./... && go test -timeout 10m -count 1 $(ARGS) ./...) || result=1; \
	done; exit $$result

.PHONY: demo
demo: ## load the example pipelines with everything embedded
	go run ./cmd/penstock demo

.PHONY: lint
lint: ## golangci-lint: go vet, style, and the import arrows of ARCHITECTURE.md
	@linter=$$(go run ./internal/testenv/cmd/setup lint) && "$$linter" run ./...

.PHONY: fmt
fmt: ## format all Go files
	@linter=$$(go run ./internal/testenv/cmd/setup lint) && "$$linter" fmt ./...

.PHONY: clean
clean: ## remove what the targets built; the cache stays
	rm -rf bin penstock-data
