# Everything one does with this repository; continuous integration calls `check` and `test` and nothing else.
#
#   make demo    the whole story with a simulated Jira        make check   format, lint, types, layers, quick tests
#   make serve   a server on http://127.0.0.1:5601            make test    every test
#   make setup   all that developing needs                    make bench   our figures beside the machine's limits
#   make lock    pin the requirements anew                    make clean   remove what was made here, but no data
#   make conformance    the page of routes, anew

PYTHON ?= $(shell for each in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$each"; break; }; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUNTIME := .venv/.runtime
DEVELOPMENT := .venv/.development
QUICK := $(wildcard tests/domain tests/wire tests/security tests/connectors tests/client tests/cli tests/test_*.py)

.PHONY: help setup demo serve check test bench conformance lock clean
.DELETE_ON_ERROR:

help:
	@sed -n '3,7s/^# *//p' Makefile

setup: $(DEVELOPMENT)

demo: $(RUNTIME)
	@$(BIN)/casebridge demo

serve: $(RUNTIME)
	@$(BIN)/casebridge serve $(ARGS)

check: $(DEVELOPMENT)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -m "not slow" $(QUICK)

test: $(DEVELOPMENT)
	$(BIN)/pytest -n auto --dist worksteal $(ARGS)

bench: $(DEVELOPMENT)
	$(BIN)/python -m bench $(ARGS)

conformance: $(DEVELOPMENT)
	$(BIN)/python -m tests.conformance

lock: $(DEVELOPMENT)
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --group dev \
		--generate-hashes --no-emit-index-url --no-header --quiet -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --constraint requirements-dev.lock \
		--generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock

clean:
	rm -rf .venv build dist .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Casebridge needs Python 3.11 or newer, and none was found." \
		"Install one, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Casebridge needs Python 3.11 or newer;" \
		"$(PYTHON) is `"$(PYTHON)" --version 2>&1`." >&2; exit 1; }
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; echo "$(PYTHON) cannot make virtual environments;" \
		"on Debian install python3-venv." >&2; exit 1; }

$(RUNTIME): requirements.lock pyproject.toml | .venv/bin/python
	@echo "Setting up (first time only) ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps -e .
	@touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	@echo "Setting up development tools (first time only) ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
