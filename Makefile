# What a person does with this repository, each a name; every target that needs the tools sets them up first.
.DEFAULT_GOAL := help
.PHONY: help setup demo up down test retest bench lint format types lock clean

PYTHON ?= python3
VENV := .venv/bin
ORDINARY_PATH := $(PATH)
# Our tools come first, and no configuration file of this machine's changes what Terraform does.
export PATH := $(CURDIR)/.tools/bin:$(CURDIR)/.venv/bin:$(PATH)
export TF_CLI_CONFIG_FILE := $(CURDIR)/.tools/terraformrc
# Compiled modules are kept: the sandbox imports the workflows anew for each one, four times faster from these.
export PYTHONDONTWRITEBYTECODE :=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Set up .venv and .tools (every target does, and takes seconds once it is done)
	@PATH='$(ORDINARY_PATH)' PYTHON='$(PYTHON)' tools/setup.sh

demo: setup ## Deploy a pull request for real on this machine, and show it (SCENARIO=NAME for another one)
	@$(VENV)/docustack local demo $(SCENARIO)

up: setup ## Start the same world and keep it running until Ctrl-C
	@$(VENV)/docustack local up

down: setup ## Stop a world that was started elsewhere
	@$(VENV)/docustack local down

# Much of a test's time is waiting: three processes fill two cores. A file stays in one process, which shares its world;
# tests/conftest.py has the slow ones begin first.
JOBS ?= 3

COVERAGE ?= --cov --cov-report=term

test: setup ## Run every test, with coverage (TESTS=PATH or ARGS='-k NAME' for some; JOBS=0 one after the other)
	@$(VENV)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(COVERAGE) --durations=30 $(ARGS) $(TESTS)

retest: setup ## Run what failed last once more, one test after the other
	@$(VENV)/python -m pytest --last-failed --last-failed-no-failures none -v $(ARGS)

bench: setup ## Measure DocuStack against bare Terragrunt and a bare workflow, on a quiet machine (ONLY=FIGURE for one)
	@$(VENV)/python -m bench $(ONLY)

lint: setup ## Check style, format and layers
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/lint-imports

format: setup ## Format the code and fix what can be fixed
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

types: setup ## Check types
	$(VENV)/mypy

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links

lock: ## Resolve the requirements anew into the three lock files (needs uv; ARGS=--upgrade moves versions)
	$(LOCK) $(ARGS) --output-file requirements.lock pyproject.toml requirements.in
	$(LOCK) --constraints requirements.lock --output-file requirements-runtime.lock pyproject.toml
	echo hatchling | $(LOCK) --constraints requirements.lock --output-file requirements-build.lock -

clean: ## Remove what the world and the checks have left; .venv and .tools stay (ALL=1 for these, too)
	rm -rf .local .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage dist
	$(if $(ALL),rm -rf .venv .tools)
