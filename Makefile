PYTHON ?= python3
BIN := .venv/bin
SOURCES := setup.py eventscache tests benchmarks examples
EXAMPLE := examples/eventscache-sqlite
PAGE_CHECKS := tests/ui/checks
C_MODULES := eventscache/cache/_splice.c eventscache/ingest/json/_scan.c eventscache/server/http/_head.c \
  eventscache/storage/redis/_entries.c

.PHONY: help install run demo test test-fast fuzz lint format bench bench-quick bench-micro bench-storage faults freshness screenshots dist package lock audit clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/installed ## make .venv with the eventscache command in it

run: .venv/installed ## start the server on http://127.0.0.1:8095, over the memory storage
	$(BIN)/eventscache serve $(ARGS)

demo: .venv/installed ## start a server on http://127.0.0.1:8095 with made-up traffic, to look around
	$(BIN)/eventscache demo $(ARGS)

# A process for each core, up to a few: each has servers of its own.
SHARED_OUT := -n logical --maxprocesses=4

test: .venv/installed-dev .venv/installed-deploy .venv/installed-clients .venv/installed-page-checks ## run all tests, against a real Redis too
	$(BIN)/python -m pytest $(SHARED_OUT) $(ARGS)
	cd $(EXAMPLE) && ../../$(BIN)/python -m pytest

test-fast: .venv/installed-dev ## run the tests that need no browser, no cluster and no simulation, in under a minute
	$(BIN)/python -m pytest $(SHARED_OUT) -m 'not (servers or browser or clients or simulation or slow)' $(ARGS)

fuzz: SECONDS := 600
fuzz: .venv/installed-dev ## run all fuzzers, with new examples every time, for SECONDS=600 altogether
	@fuzzers=$$($(BIN)/python -m pytest tests -k fuzz --collect-only -q | grep -c ::) && \
	FUZZ_SECONDS=$$(($(SECONDS) / fuzzers)) $(BIN)/python -m pytest tests -k fuzz $(ARGS)

lint: .venv/installed-dev .venv/installed-page-checks ## check style, types, the page, the Lua scripts and the modules in C
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	cd $(EXAMPLE) && ../../$(BIN)/mypy
	$(BIN)/python -c 'import sysconfig; print("-I" + sysconfig.get_path("include"))' | \
	xargs $(CC) -std=c11 -O2 -fsyntax-only -Wall -Wextra -Werror $(C_MODULES)
	@if [ -e .venv/installed-page-checks ]; then \
	  $(PAGE_CHECKS)/node_modules/.bin/tsc --project $(PAGE_CHECKS) && \
	  $(PAGE_CHECKS)/node_modules/.bin/oxlint --deny-warnings eventscache/ui; \
	elif [ -n "$$CI" ]; then echo "npm is not installed" >&2; exit 1; \
	else echo "npm is not installed: the modules of the page were not checked" >&2; fi
	@if command -v luacheck >/dev/null; then luacheck -q lua; \
	elif [ -n "$$CI" ]; then echo "luacheck is not installed" >&2; exit 1; \
	else echo "luacheck is not installed: the Lua scripts were not checked" >&2; fi

format: .venv/installed-dev ## format the sources
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: .venv/installed-dev ## compare with a bare aiohttp server and a naive sidecar, and write a report
	$(BIN)/python -m benchmarks.compare $(ARGS)

bench-quick: .venv/installed-dev ## do the same in under three minutes
	$(BIN)/python -m benchmarks.compare --quick $(ARGS)

bench-micro: .venv/installed-dev ## time single steps: parser, cooldown, queue, storages
	$(BIN)/python -m pytest -p benchmark benchmarks/micro $(ARGS)

bench-storage: .venv/installed-dev ## measure batches into Redis against what they cannot do without
	$(BIN)/python benchmarks/insert.py $(ARGS)

faults: SOAK := 0
faults: .venv/installed-dev ## measure latencies, recovery and memory through faults, then SOAK=600 seconds of all of them
	$(BIN)/python -m benchmarks.faults --document docs/faults.md --soak $(SOAK) $(ARGS)

freshness: .venv/installed-dev ## simulate how fresh streams under overload are
	$(BIN)/python -m benchmarks.freshness $(ARGS)

screenshots: .venv/installed-dev ## make the README's pictures of the live view, with Debian's chromium
	$(BIN)/python -m tests.ui.screenshots

dist: .venv/installed-dev ## build the sdist, from it the wheel, and their checksums, in dist/
	rm -rf dist build
	$(BIN)/python -m build
	cd dist && sha256sum *.tar.gz *.whl > SHA256SUMS

package: dist .venv/installed-supply ## build them, install the wheel with uv and pipx elsewhere, and try it
	$(BIN)/python -m pytest tests/package.py

LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header
BUILD_REQUIRES := import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")

lock: .venv/installed-supply ## write requirements.lock and deploy/build.lock: the newest dependencies, with hashes
	$(LOCK) setup.cfg --output-file requirements.lock
	$(BIN)/python -c '$(BUILD_REQUIRES)' | $(LOCK) - --output-file deploy/build.lock

audit: .venv/installed-supply ## look the locked dependencies up among the known vulnerabilities
	PIP_AUDIT=$(BIN)/pip-audit .ci/audit $(ARGS)

clean: ## remove what the other targets made
	rm -rf tests/clients/node_modules $(PAGE_CHECKS)/node_modules .venv build dist *.egg-info .benchmarks .hypothesis .mypy_cache .ruff_cache

.venv/created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/installed: .venv/created setup.cfg setup.py pyproject.toml $(C_MODULES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/installed-dev: .venv/installed $(EXAMPLE)/pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable $(EXAMPLE)
	@touch $@

.venv/installed-deploy: .venv/installed-dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[deploy]'
	@touch $@

# Tests say so themselves where there is no npm.
.venv/installed-clients: .venv/created tests/clients/package.json tests/clients/package-lock.json tests/clients/.npmrc
	@if command -v npm >/dev/null; then npm ci --silent --prefix tests/clients && touch $@; fi

.venv/installed-page-checks: .venv/created $(addprefix $(PAGE_CHECKS)/,package.json package-lock.json .npmrc)
	@if command -v npm >/dev/null; then npm ci --silent --prefix $(PAGE_CHECKS) && touch $@; fi

.venv/installed-supply: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[supply]'
	@touch $@
