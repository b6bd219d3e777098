# What a person types. Each target installs what it needs and says what it does.
#   make run    the server with its demo portal, http://127.0.0.1:8080
#   make test   everything: format, lints, unit, integration, widget, real browsers
#   make bench  what the media engine costs beside its floor, and the control API on each database; bench-instructions counts

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
ROOT := $(CURDIR)
TARGET_DIR := $(shell $(CARGO) metadata --no-deps --format-version 1 2>/dev/null | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
WIDGET_SOURCES := $(shell find widget -type f -not -path '*/node_modules/*' -not -path 'widget/dist/*' 2>/dev/null)

.PHONY: help run test check unit planted-faults widget widget-test browser-test bench bench-instructions build-dependencies \
	test-dependencies bench-dependencies clean

help:
	@sed -n '2,4s/^# *//p' Makefile

# ---- run -------------------------------------------------------------------------------------------------------

run: build-dependencies widget/dist/.built
	$(CARGO) build --release --locked --bin consilium
	exec $(TARGET_DIR)/release/consilium serve --dev

widget: widget/dist/.built

widget/dist/.built: $(WIDGET_SOURCES) | build-dependencies
	cd widget && npm ci --no-audit --no-fund && npm run build
	touch $@

# ---- test ------------------------------------------------------------------------------------------------------

test: test-dependencies widget/dist/.built check unit planted-faults widget-test browser-test

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

unit: widget/dist/.built
	$(CARGO) test --workspace --locked

# A build that does harm on purpose, and the load harness that has to find it. Of the whole workspace: another selection of
# packages would build other people's crates again with other features.
planted-faults: widget/dist/.built
	$(CARGO) test --workspace --locked --features consilium/planted-faults --test planted_faults

widget-test: widget/dist/.built
	cd widget && npm test

# The same build as for the unit tests, which brings the binary.
browser-test: widget/dist/.built
	$(CARGO) test --workspace --locked --no-run
	cd tests/browser && npm ci --no-audit --no-fund && CONSILIUM_BIN=$(TARGET_DIR)/debug/consilium npm test

# ---- bench -----------------------------------------------------------------------------------------------------

bench: bench-dependencies
	$(CARGO) bench --locked -p media-benches -p control-benches

# Fails when a figure of benches/media/instructions.toml has become worse.
bench-instructions: bench-dependencies
	$(CARGO) run --release --locked -p media-benches --bin instructions -- check

# ---- what it needs ---------------------------------------------------------------------------------------------

build-dependencies:
	deploy/dependencies build

test-dependencies: build-dependencies
	deploy/dependencies test

bench-dependencies: build-dependencies
	deploy/dependencies bench

clean:
	$(CARGO) clean
	rm -rf widget/dist widget/node_modules tests/browser/node_modules tests/browser/.artifacts
