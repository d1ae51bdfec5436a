# Keruen: `make demo` to see it, `make test` to check it. Needs Python 3.11 or newer, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=

.PHONY: setup demo up test lint types bench test-real lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Keruen needs Python 3.11 or newer; point at one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "This Python cannot make virtual environments: install the package python3-venv (Debian, Ubuntu), then run make again."; exit 1; }
	@echo "Installing Keruen's packages into $(VENV): once, for a minute or two."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

demo: setup
	@$(BIN)/keruen up --demo $(ARGS)

up: setup
	@$(BIN)/keruen up $(ARGS)

test: lint types
	@$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .

types: setup
	@$(BIN)/mypy

bench: setup
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -c requirements.lock -e '.[bench]'
	@$(BIN)/python -m dagster_project.bench $(ARGS)

test-real: setup
	@$(BIN)/python -m pytest -m real $(ARGS)

lock:
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-emit-index-url --no-header \
	  -o requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .keruen
