# 12345. `make run` opens it on this machine, `make test` proves it. Needs Debian 12 with python3, python3-venv, make, git.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: help setup run test harm again bench bench-office lint format lock

PYTHON ?= python3
PORT ?= $(or $(CALLCENTER_PORT),8012)
SIP_PORT ?= $(or $(CALLCENTER_SIP_PORT),5060)
HOME_DIR ?= $(or $(CALLCENTER_HOME),var)

ORDERS ?= 200000

# Test processes: their calls wait for time more than for a core.
AT_ONCE ?= 4

BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
LOCKED := $(PIP) install --require-hashes
WEB := $(shell find web -name node_modules -prune -o -type f -print 2>/dev/null)

help:
	@echo "make run     12345 on this machine: PORT=$(PORT) SIP_PORT=$(SIP_PORT) HOME_DIR=$(HOME_DIR)"
	@echo "make test    everything that must hold"
	@echo "make harm    and holds while parts are killed, frozen and filled, for minutes"
	@echo "make again   only what failed the last time, one at a time"
	@echo "make bench   figures, side by side; make bench-office ORDERS=5000000: the office with millions of orders"
	@echo "make setup   what run needs: Python packages, Asterisk, pages"
	@echo "make lint, make format, make lock"

setup: .venv/.asterisk callcenter/static/.built

# with-parent: however make ends, everything that it started ends.
run: setup
	@exec $(BIN)/callcenter up --home "$(HOME_DIR)" --port $(PORT) --sip-port $(SIP_PORT) \
		--ready-file "$(HOME_DIR)/ready.json" --with-parent

test: setup .venv/.dev
	@sh scripts/test-tools.sh
	@$(BIN)/pytest -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder -m "not harm"

harm: setup .venv/.dev
	@sh scripts/test-tools.sh
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m harm

# None failed, none is run: then make failed before its tests, and so does this.
again:
	@$(BIN)/pytest --last-failed --last-failed-no-failures none

bench: setup .venv/.dev
	@sh scripts/test-tools.sh
	@$(BIN)/python -m bench

# The data is made once and kept below HOME_DIR.
bench-office: setup .venv/.dev
	@$(BIN)/python -m bench office --orders $(ORDERS) --folder "$(HOME_DIR)/bench-office"

lint: .venv/.dev web/node_modules/.installed
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@scripts/npm run check

format: .venv/.dev
	@$(BIN)/ruff check --fix --exit-zero --quiet
	@$(BIN)/ruff format

# Versions and hashes, no addresses: pip takes them from where this machine is told to.
lock: .venv/.dev
	@$(PIP) install uv
	@compile="$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11"; \
	$$compile pyproject.toml -o requirements/run.txt; \
	$$compile --group web -c requirements/run.txt -o requirements/web.txt; \
	$$compile --group dev -c requirements/run.txt -o requirements/dev.txt

.venv/.run: requirements/run.txt pyproject.toml
	@echo "[1/3] Python packages"
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(LOCKED) -r requirements/run.txt
	@$(PIP) install --no-deps --editable .
	@touch $@

.venv/.web: requirements/web.txt | .venv/.run
	@echo "      Node, for building the pages"
	@$(LOCKED) -r requirements/web.txt
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.run
	@echo "      Python packages for the tests"
	@$(LOCKED) -r requirements/dev.txt
	@touch $@

.venv/.asterisk: asterisk-conf/modules.conf .venv/.run
	@echo "[2/3] Asterisk"
	@$(BIN)/callcenter fetch
	@touch $@

web/node_modules/.installed: web/package.json web/package-lock.json web/.npmrc | .venv/.web
	@echo "[3/3] Pages"
	@scripts/npm ci --loglevel=error
	@touch $@

callcenter/static/.built: web/node_modules/.installed $(WEB)
	@scripts/npm run --silent build -- --logLevel error
	@touch $@
