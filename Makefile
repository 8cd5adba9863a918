# Every target does all of its own set-up. `make` alone runs the demo.

SHELL := /bin/sh
CARGO ?= cargo
# The programs' dependencies have the same features here as in the tests, so that nothing is built twice.
PROGRAMS := -p weir-agent -p weir-collector -p weir-cli

# cargo-nextest where it is installed, else plain cargo test: the same tests either way.
RUN_TESTS := $(shell command -v cargo-nextest >/dev/null 2>&1 && echo nextest run || echo test --lib --bins --tests)

.PHONY: demo test setup fmt lint doc bench peers lab

demo: ## Capture, collect and query on this machine
	scripts/setup build
	$(CARGO) build $(PROGRAMS)
	scripts/demo

# Cheap checks first, so that a small mistake is known soon.
test: ## Everything that must hold
	scripts/setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) build $(PROGRAMS)
	$(CARGO) $(RUN_TESTS) --workspace
	$(CARGO) test --workspace --doc
	scripts/instructions
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

setup: ## Install what is missing
	scripts/setup

fmt: ## Format the code
	$(CARGO) fmt --all

lint: ## Check format and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

doc: ## Build the reference of all crates, docs/tables.md and flow.proto
	WEIR_UPDATE=1 $(CARGO) test --workspace --test guard made_from
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps

peers: ## CPU and memory beside other programs that read captures, those that are installed
	scripts/setup build
	$(CARGO) build --release -p weir-flow --example replay
	scripts/peers

lab: ## Record the gateways of the lab anew, and check every event (as root; installs what the lab needs)
	tests/lab/lab deps
	$(CARGO) build $(PROGRAMS)
	$(CARGO) test -p weir-tests --test e2e -- --ignored every_event_of_a_fresh_recording

bench: ## Run the benchmarks; they print numbers and judge nothing
	scripts/setup build
	$(CARGO) bench --workspace --benches
