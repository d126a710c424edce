# Each target is one line: the work is in scripts/, which can be called on its own.
.DEFAULT_GOAL := help
.PHONY: help deps run release test conformance gen lint format bench bench-storage bench-scale \
  bench-members bench-roster bench-gateway hostile \
  crash faults \
  fuzz tsan asan clean

# What `make` alone prints: the comments after "##" below.
help: ## this text
	@echo 'Yijia: gRPC services for trade unions, in Swift. Read README.md first (README.zh-CN.md in Chinese).'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'First time here?   make run     installs what is missing, builds, starts the suite, does the main job'
	@echo 'Before a commit:   make test    lint, build, generated code, all tests'
	@echo
	@echo 'make run ARGS="--help"                   flags of the suite (ports, folder, roster)'
	@echo 'make test STAGES="unit" FILTER=HTTP2     one stage (lint build generated unit conformance integration), some tests'
	@echo 'make crash ROUNDS=100                    more kills'
	@echo 'make fuzz TARGETS="wire json" RUNS=10000000   some targets, so many inputs each'
	@echo 'make bench PEERS="c go cpp swift" N=20000   more peers, fewer calls a run'

deps: ## install what is missing (apt packages; Python tools in .venv); nothing when all is there
	@scripts/deps.sh

run: ## build for release, start the suite and enroll the example roster; Ctrl-C stops it
	@scripts/run.sh $(ARGS)

test: ## every check; ends with "N passed, N failed"
	@scripts/test.sh $(STAGES)

conformance: ## gRPC's interoperability cases, both sides, against grpcio, buf, Envoy and broken peers
	@scripts/test.sh conformance

gen: deps ## write the generated code anew from proto/
	@YIJIA_STRICT=$${YIJIA_STRICT:-1} scripts/gen.sh

lint: deps ## style of Swift, contracts and scripts; reports only
	@scripts/lint.sh

format: deps ## format Swift and contracts in place
	@scripts/lint.sh --fix

release: deps ## the executables of a suite in .build/release, as servers run them
	@bash -c '. scripts/lib.sh; build_release "$${SUITE[@]}"'

bench: ## the cost table: calls, streams, TLS, client, memory, allocations, gateway beside peers
	@bench/run.sh

bench-gateway: deps ## the gateway with all its duties beside Envoy; an idle stream; JSON beside gRPC
	@bench/gateway.sh
	@bench/gateway-streams.sh
	@bench/gateway-json.sh

hostile: ## attack the release server (TARGET=gateway: the gateway) beside a client that behaves
	@bench/hostile.sh $(ATTACKS)

bench-storage: deps ## durable writes and reads a second of both engines beside bare C, in one run
	@bench/storage.sh

bench-scale: ## ten thousand and ten million members, store and gateway, both engines (12 GB each)
	@bench/scale.sh

bench-members: deps ## enrollments through the gateway: a second, and CPU by process, both engines
	@bench/members.sh

bench-roster: deps ## a million rows of a roster compared with a million members, both engines
	@bench/roster.sh

crash: ## kill services and database at random while they work (ROUNDS=25), count what was acknowledged
	@scripts/crash.sh $(ROUNDS)

faults: ## all faults: kills, failover, disk, power cut, reloads, restarts (ROUNDS=100)
	@scripts/faults.sh $(ROUNDS)

fuzz: deps ## libFuzzer over all that reads bytes from outside; a minute a target, or TIME=600, RUNS=10000000
	@scripts/fuzz.sh $(TARGETS)

tsan: deps ## the runtime's tests under ThreadSanitizer
	@scripts/sanitize.sh thread '$(FILTER)'

asan: deps ## the runtime's tests under AddressSanitizer
	@scripts/sanitize.sh address '$(FILTER)'

clean: ## remove what was built; .dev (data of make run) and .venv stay
	rm -rf .build .build-peers .build-fuzz .build-thread .build-address
