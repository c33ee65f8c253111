# `make` lists the targets. They write only below this folder: .venv, web/node_modules, web/dist, var.

PYTHON ?= python3
IN := .venv/bin/python
INSTALL := $(IN) -m pip install --quiet --disable-pip-version-check --require-hashes
NPM_CI := $(IN) -m dev.install npm ci --prefix web --ignore-scripts --no-audit --no-fund --loglevel=error
LOCKED := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links
WEB_SOURCES := web/build.mjs web/tsconfig.json web/tsconfig.types.json $(wildcard web/client/*.ts web/client/*/*.ts web/inbox/*.ts web/inbox/*/*.ts web/inbox/styles/*.css web/demo/*.ts web/demo/*.css)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup services lint test test-quick test-browser faults soak bench bench-quick bench-read up demo token screenshot lock clean tools

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: .venv/.embedded web/dist/.built ## Create .venv for `make up`, and build the browser's side

up: setup ## Run the whole system until Ctrl-C, with an embedded broker and SQLite in var/
	@$(IN) -m dev.up

demo: setup ## Play a scene on free ports: a follow, a message, an absence, a return; exits 0 if it succeeds
	@$(IN) -m dev.demo

token: .venv/.embedded ## Print a token: make token USER=alice [SCOPE=notify]
	$(if $(filter command line,$(origin USER)),,$(error name the user: make token USER=alice [SCOPE=notify]))
	@$(IN) -m api.tokens "$(USER)" $(foreach one,$(SCOPE),--scope "$(one)")

services: tools ## Run private PostgreSQL, RabbitMQ, Redis for development and print their URLs [FOLDER=var/services]
	@$(IN) -m dev.services $(FOLDER)

lint: .venv/.dev web/node_modules/.dev ## Check style, format and types
	.venv/bin/ruff check --no-cache .  # the cache of import order does not notice new top-level packages
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	@$(IN) -m dev.install npm run --silent --prefix web lint

# Most tests wait rather than compute, so four processes keep two cores busy. The tests of a file share a process.
test: tools web/node_modules/.dev web/dist/.built ## Run all tests on real, private services; installs what they need [ARGS="-n0 -k inbox"]
	@$(IN) -m dev.services run -- $(IN) -m pytest -n 4 --dist loadfile $(ARGS)

test-quick: tools web/node_modules/.dev web/dist/.built ## Run the tests that need no servers of their own, Chromium, faults or much data (three minutes)
	@$(IN) -m dev.services run -- $(IN) -m pytest -n 4 --dist loadfile -m "not slow" $(ARGS)

test-browser: tools web/node_modules/.dev web/dist/.built ## Run the tests that drive a real Chromium
	@$(IN) -m pytest tests/browser $(ARGS)

faults: tools ## Break every part under load, one fault after another, and check that nothing is lost [ARGS="--only broker"]
	@$(IN) -m tests.faults $(ARGS)

soak: tools ## Break parts at random for a while [MINUTES=30]
	@$(IN) -m tests.faults --long $(or $(MINUTES),30) $(ARGS)

bench: tools ## Measure throughput, latency, losses and CPU of the whole product [ARGS="single --users 100"]
	@$(IN) -m bench $(ARGS)

bench-quick: tools ## The same with smaller numbers, in less than two minutes
	@$(IN) -m bench --quick $(ARGS)

bench-read: tools ## Measure reading an inbox among five million items (four minutes)
	@$(IN) -m bench.read

screenshot: tools web/dist/.built ## Take the README's screenshot of the demo page (docs/demo.png)
	@$(IN) -m dev.screenshot

lock: .venv/.dev ## Write requirements/*.txt from pyproject.toml [UPGRADE=--upgrade]
	$(IN) -m pip install --quiet --disable-pip-version-check uv
	.venv/bin/uv pip compile pyproject.toml $(LOCKED) $(UPGRADE) -o requirements/runtime.txt
	.venv/bin/uv pip compile pyproject.toml $(LOCKED) --group embedded $(UPGRADE) -o requirements/embedded.txt
	.venv/bin/uv pip compile pyproject.toml $(LOCKED) --group dev $(UPGRADE) -o requirements/dev.txt
	.venv/bin/uv pip compile requirements/node.in $(LOCKED) $(UPGRADE) -o requirements/node.txt

clean: ## Remove .venv, web/node_modules and caches; the data in var/ stays
	rm -rf .venv web/node_modules web/dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installs databases, brokers and a browser on this machine.
tools: .venv/.dev
	@$(IN) -m dev.install

.venv/bin/python:
	@$(PYTHON) -m dev.install venv

.venv/.embedded: requirements/embedded.txt | .venv/bin/python
	@echo "Installing Belfry's packages into .venv (half a minute)"
	@$(INSTALL) -r $<
	@touch $@

.venv/.dev: requirements/dev.txt | .venv/bin/python
	@echo "Installing Belfry's packages and those of its tests into .venv (a minute)"
	@$(INSTALL) -r $<
	@touch .venv/.embedded $@

web/node_modules/.package-lock.json: web/package-lock.json | .venv/bin/python
	@echo "Installing what builds the browser's side into web/node_modules"
	@$(NPM_CI) --omit=dev
	@touch $@

web/node_modules/.dev: web/package-lock.json | .venv/bin/python
	@echo "Installing the browser's packages and those of its tests into web/node_modules"
	@$(NPM_CI)
	@touch web/node_modules/.package-lock.json $@

web/dist/.built: $(WEB_SOURCES) web/node_modules/.package-lock.json
	@$(IN) -m dev.install npm run --silent --prefix web build
	@touch $@
