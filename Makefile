# Two commands do everything: `make run` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
PROFILE := --release
BIN := $(or $(CARGO_TARGET_DIR),target)/release/pointsman
DATA ?= run

.PHONY: help setup build run test call lint clean

help: ## what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: ## install what the build needs, where this user may
	@./tools/setup build

build: setup ## the pointsman binary
	@echo "building (the first time takes some minutes) ..."
	@$(CARGO) build $(PROFILE) --workspace
	@echo "built $(BIN)"

run: build ## start the server on its embedded defaults, with sample tenants and strategies
	@exec $(BIN) serve --demo --data $(DATA)

call: export HEADER := $(HEADER)
call: export DN := $(or $(DN),7001)
call: export FROM := $(or $(FROM),5551000)
call: ## place a call to the running server with sipp: make call DN=7001 FROM=5551000 [HEADER="X-Customer: 5551002"]
	@./tools/setup sipp
	@./tools/call "$$DN" "$$FROM"

test: setup ## every test
	@./tools/setup test
	@echo "building and running all tests (the first time takes some minutes) ..."
	@$(CARGO) test $(PROFILE) --workspace

lint: setup ## formatting and clippy
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy $(PROFILE) --workspace --all-targets -- -D warnings

clean: ## remove what was built; `run/` (the demo's data) stays
	@$(CARGO) clean
