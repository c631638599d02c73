# Every target can be the first command in a fresh clone: it installs its requirements before it runs.

# The first Python found that is new enough; `make PYTHON=/path/to/python3.12` selects another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
UV_COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help venv serve demo test test-slow check format lock bench

help: ## print this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

venv: .venv/dev ## make the virtual environment for development

serve: .venv/serve ## serve the API; AGENTDATA_* and DATABASE_URL are passed on
	@exec $(BIN)/agentdata serve

demo: .venv/serve ## serve the API with a small data set that shows every feature
	@exec $(BIN)/agentdata demo

test: .venv/dev ## run all tests, on the PostgreSQL of DATABASE_URL if it is set
	$(BIN)/pytest -n auto --dist worksteal -m "not slow"

test-slow: .venv/dev ## run the slow tests, such as those of clients in JavaScript
	$(BIN)/pytest -m slow

check: .venv/dev ## check format, style, types, imports, the printed schema, migrations and documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_schema.py tests/test_migrations.py tests/test_docs.py tests/test_coming_from.py

bench: .venv/serve benchmarks/postgraphile/node_modules/.package-lock.json ## compare the performance with other servers; SIZE=large, ARGS="--shape wide"
	@exec $(BIN)/python -m benchmarks --size $(or $(SIZE),small) $(ARGS)

format: .venv/dev ## format the code and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: .venv/dev ## lock the newest allowed versions of everything; commit both files
	$(UV_COMPILE) --upgrade --group build -o requirements.lock
	$(UV_COMPILE) --group build --group dev -c requirements.lock -o requirements-dev.lock

# Two files in the virtual environment record what is installed; they are older than a lock file that changed.
.venv/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "agentdata needs Python 3.11 or newer: install it, or name it with make PYTHON=/path/to/python" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is not Python 3.11 or newer, which agentdata needs" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: install its venv module" \
			"(Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Making the virtual environment .venv with $(PYTHON)"
	@$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/serve: requirements.lock pyproject.toml | .venv/python
	@echo "Installing the requirements of the server (once)"
	@$(PIP_INSTALL) --require-hashes -r requirements.lock
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements-dev.lock .venv/serve | .venv/python
	@echo "Installing the requirements for development (once)"
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

benchmarks/postgraphile/node_modules/.package-lock.json: benchmarks/postgraphile/package-lock.json
	@command -v npm >/dev/null || { echo "make bench needs npm for PostGraphile; without it, leave PostGraphile out:" \
		"$(BIN)/python -m benchmarks --contenders agentdata,floor,strawberry" >&2; exit 1; }
	@echo "Installing PostGraphile and its Node.js (once)"
	@cd benchmarks/postgraphile && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
