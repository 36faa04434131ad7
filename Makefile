# Everything runs in .venv; the first target that needs it makes it. PYTHON chooses the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help init dev-init demo test unit contract functional acceptance sandbox browser prove crash crash-points chaos fuzz mutants text-table tracker-table test-redmine bench reliability fmt lint types imports lock clean

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/.python:
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "Keepstep needs Python 3.11 or newer: install python3 (Debian: apt install python3 python3-venv)."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Keepstep needs Python 3.11 or newer; $(PYTHON) is older. Set PYTHON=python3.12 or the like."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv is missing: install it (Debian: apt install python3-venv)."; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# Locked by hashes: what is not in the list, or differs from it, is not installed.
$(VENV)/.runtime: $(VENV)/.python requirements/runtime.txt pyproject.toml
	@echo "Installing what Keepstep needs ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt
	@echo "Installing what the tests and linters need ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

init: $(VENV)/.runtime ## make the virtual environment with the service in it

dev-init: $(VENV)/.dev ## the same, with tests and linters

demo: $(VENV)/.runtime ## run the service and both emulators on this machine
	@exec $(BIN)/keepstep demo

# In the folders' order the longest files come first, so that neither worker waits for the other at the end.
test: $(VENV)/.dev ## run every test but those on a real Redmine, two files at a time
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not redmine'

unit: $(VENV)/.dev ## the fast tests: rules, text, use cases in memory
	$(BIN)/pytest -q tests/unit tests/architecture

contract: $(VENV)/.dev ## every port's contract, on the twins and on the real thing
	$(BIN)/pytest -q tests/contract tests/wire tests/migration

functional: $(VENV)/.dev ## pages, doors and the main job in one process
	$(BIN)/pytest -q tests/functional

acceptance: $(VENV)/.dev ## real processes: kill, restart, lose
	$(BIN)/pytest -q tests/acceptance

sandbox: $(VENV)/.dev ## the emulators
	$(BIN)/pytest -q tests/sandbox

browser: $(VENV)/.dev ## the main job in a real Chromium; screenshots in build/screens/
	$(BIN)/pytest -q tests/browser

prove: $(VENV)/.dev ## look for a way to break convergence in 2,000 new examples, and the laws of text and merge
	KEEPSTEP_PROVE=2000 $(BIN)/pytest -q tests/convergence --timeout 3000
	KEEPSTEP_TEXT_EXAMPLES=600 KEEPSTEP_DOMAIN_EXAMPLES=400 $(BIN)/pytest -q tests/unit/text tests/unit/domain --timeout 1000

fuzz: $(VENV)/.dev ## send wrong payloads to every door and to the API: FUZZ examples (2000) a test
	KEEPSTEP_FUZZ=$${FUZZ:-2000} $(BIN)/pytest -q tests/fuzz

test-redmine: $(VENV)/.dev ## adapter, main job and browser on a real Redmine (INSTALL=1 installs Debian's first, as root)
	tests/install_redmine.sh
	$(BIN)/pytest -n 2 --dist loadfile -m redmine tests/contract tests/functional tests/browser

crash: $(VENV)/.dev ## end the service at every point where it may die, and see what it makes of it
	PYTHONPATH=tests $(BIN)/python -m crash

crash-points: $(VENV)/.dev ## write the list of those points anew
	PYTHONPATH=tests $(BIN)/python -m crash --renew

chaos: $(VENV)/.dev ## CHAOS_S seconds of faults, kills and edits over CHAOS_LINKS Links, then a verdict
	@$(BIN)/python -m chaos

mutants: $(VENV)/.dev ## put deliberate bugs in and see whether the machine finds each of them
	$(BIN)/python -m mutants

tracker-table: $(VENV)/.dev ## run the conformance kit on every tracker and write docs/trackers.md anew
	$(BIN)/pytest -q -n 2 --dist loadfile --junitxml build/kit.xml tests/contract/test_tracker_kit.py tests/contract/test_tracker_jira.py tests/contract/test_tracker_redmine_kit.py
	PYTHONPATH=tests $(BIN)/python -m contract.tracker_page

text-table: $(VENV)/.dev ## write the tables of docs/text.md anew
	PYTHONPATH=tests $(BIN)/python -m unit.text.loss_table

bench: $(VENV)/.dev ## measure everything, n8n and a million Links too; writes docs/performance.md (ONLY=WORDS: these parts)
	$(BIN)/python -m bench --record --only "$(ONLY)"

reliability: $(VENV)/.dev ## outages, chaos and crash points; writes docs/reliability.md
	$(BIN)/python -m bench.reliability --record

fmt: $(VENV)/.dev ## format
	$(BIN)/ruff format src tests bench mutants chaos examples
	$(BIN)/ruff check --fix --quiet src tests bench mutants chaos examples || true

lint: $(VENV)/.dev ## ruff, spelling
	$(BIN)/ruff check src tests bench mutants chaos examples
	$(BIN)/ruff format --check src tests bench mutants chaos examples
	$(BIN)/codespell src tests docs bench mutants chaos examples README.md CHANGELOG.md

types: $(VENV)/.dev ## mypy --strict
	$(BIN)/mypy

imports: $(VENV)/.dev ## the layers hold
	$(BIN)/lint-imports

lock: ## resolve the dependencies anew (needs uv); releases of the last week are left out
	for part in build:runtime dev:dev; do \
	  uv pip compile pyproject.toml --group $${part%%:*} --universal --python-version 3.11 --generate-hashes --no-strip-extras \
	    --exclude-newer "$$(date -u -d '7 days ago' +%Y-%m-%d)" --no-header --output-file requirements/$${part##*:}.txt; \
	done

clean: ## remove what was built; the demo's state stays
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
