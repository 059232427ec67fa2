# make demo    the made-up laboratory, from files on shares to figures, NWB and receipts, in the browser (EXIT=1: end when done)
# make test    everything that must hold
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
EXIT ?=
PORT ?=
NAME ?=
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test long lint types floors check format bench lock example docs

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.made ## make .venv from the committed lock

$(VENV)/.made: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "setting up $(VENV) from requirements.lock (once, about two minutes)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q map_assets
	@touch $@

demo: setup ## the made-up laboratory in the browser; EXIT=1 ends when all is done
	@$(BIN)/map-assets demo $(if $(EXIT),--exit) $(if $(PORT),--port $(PORT))

test: setup ## everything that must hold
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

long: setup ## the long suites whole, of which `make test` runs a slice
	@MAP_LONG=1 $(BIN)/python -m pytest -n $(WORKERS) --dist load map_assets_tests/archive/test_removal_schedules.py \
		map_assets_tests/archive/test_removal_killed.py map_assets_tests/archive/test_archive_killed.py

lint: setup ## style and names
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## types, strictly
	@$(BIN)/mypy

floors: setup ## which room may know which
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

check: lint types floors test ## all of the above

format: setup ## put style right
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format --quiet .

bench: setup ## one benchmark: make bench NAME=session
	@$(BIN)/python benchmarks/$(NAME).py

lock: setup ## resolve the lock anew (needs uv)
	uv pip compile pyproject.toml --extra all --group dev --universal --python-version 3.11 --generate-hashes \
		--no-strip-extras --no-emit-index-url --no-emit-find-links --no-header --no-annotate -o requirements.lock

example: setup ## write data/example anew
	@rm -rf data/example
	@$(BIN)/map-assets simulate data/example --preset example

docs: setup ## write docs/tables.md anew from the declarations
	@$(BIN)/python -c "from map_assets.catalog import markdown; print(markdown(), end=str())" > docs/tables.md
