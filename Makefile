# plugpass: `make lab` shows the whole chain, `make test` proves it. Both set up everything on first use.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LAB    := $(VENV)/.lab
DEV    := $(VENV)/.dev
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help lab test interop lint format bench docs lock clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

lab: $(LAB)  ## run the whole Plug & Charge chain on loopback (LAB_ARGS="--once --json")
	@$(BIN)/plugpass lab $(LAB_ARGS)

test: $(DEV)  ## unit, wire, session and acceptance tests with branch coverage; the codec's tests with both engines
	$(BIN)/python -m pytest -n $(WORKERS) -m "not interop" --cov --cov-report=term:skip-covered $(PYTEST_ARGS)
	PLUGPASS_EXI_ENGINE=python $(BIN)/python -m pytest -q -n $(WORKERS) -m "not interop and not slow" tests/unit/exi tests/unit/iso15118 tests/session

interop: $(DEV)  ## tests against foreign peers (Java, strongSwan, root); installs what it can, fails if one still skips
	@sh tools/interop-requirements
	PLUGPASS_REQUIRE_INTEROP=1 $(BIN)/python -m pytest -m interop $(PYTEST_ARGS)

lint: $(DEV)  ## ruff, mypy --strict, import contracts, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(DEV)  ## rewrite the sources in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV)  ## measure, and print the numbers beside the peers' ones
	$(BIN)/python -m benches

.PHONY: fuzz
fuzz: $(DEV)  ## fuzz the EXI codec, both engines at once, until stopped (FUZZ_ARGS="-runs=10000000")
	@$(PIP) --require-hashes -r fuzz/requirements.txt
	$(BIN)/python -m fuzz $(FUZZ_ARGS)

docs: $(DEV)  ## draw the state diagrams and tables of docs/ from the code, and check every link
	$(BIN)/python tools/exi_page.py
	$(BIN)/python tools/pki_cases.py
	$(BIN)/python tools/docs.py

lock: $(DEV)  ## resolve the pinned, hashed requirements anew (needs uv)
	sh tools/lock-requirements

clean:  ## remove the virtual environment and everything generated
	rm -rf $(VENV) .interop build dist src/*.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit("plugpass needs Python 3.11 or newer; try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(LAB): $(BIN)/python requirements/lab.txt pyproject.toml
	@echo "installing plugpass and its pinned requirements into $(VENV)"
	@$(PIP) --require-hashes -r requirements/lab.txt
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(DEV): $(LAB) requirements/dev.txt
	@echo "installing the development tools into $(VENV)"
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
