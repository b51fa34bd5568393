# Two commands are enough: `make analysis` and `make test`. Each sets up its own environment first.
# `make help` lists the rest.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# The data folder beside the checkout is used where it exists; ALC_STATS_DATA overrides it.
ifndef ALC_STATS_DATA
ifneq ($(wildcard ../shared/data),)
export ALC_STATS_DATA := $(abspath ../shared/data)
endif
endif

# One thread per process for linear algebra: small matrices run faster, and results do not depend on the machine's core count.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MPLBACKEND := Agg

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help analysis test check bench validate type-one-error coverage guard artefacts format lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

analysis: $(STAMP) ## run every study whose data are present; write results, page and paper (about a minute)
	@echo "alc_stats: running every study whose data are present (about a minute on 2 cores)"
	@$(BIN)/alc-stats run analysis/* --out results --paper paper

test: $(STAMP) ## run all tests (about 6 minutes)
	@echo "alc_stats: running the tests (about 6 minutes on 2 cores)"
	@$(BIN)/python -m pytest -n 2 && echo "VERDICT  all tests passed" || { echo "VERDICT  tests FAILED"; exit 1; }

check: $(STAMP) ## format, lint, types, import law
	$(BIN)/ruff format --check src tests analysis benchmarks
	$(BIN)/ruff check src tests analysis benchmarks
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py

bench: $(STAMP) ## speed beside the peers (minutes); writes docs/benchmarks.md, docs/location_scale_speed.md, docs/mandate_speed.md
	$(BIN)/python benchmarks/mixed.py
	$(BIN)/python benchmarks/location_scale.py
	$(BIN)/python benchmarks/mandates.py

validate: $(STAMP) ## correct digits beside the peers (minutes); writes docs/validation.md
	$(BIN)/python benchmarks/validation.py

type-one-error: $(STAMP) ## false rejections with few groups (minutes); writes docs/type_one_error.md
	$(BIN)/python benchmarks/type_one_error.py

coverage: $(STAMP) ## intervals of location-scale models (a quarter of an hour); writes docs/coverage.md
	$(BIN)/python benchmarks/interval_coverage.py

guard: $(STAMP) ## how often a widening is claimed that is none (half an hour); writes docs/guard.md
	$(BIN)/python benchmarks/guard.py

artefacts: $(STAMP) ## how often popular analyses are fooled, and ours (a quarter of an hour); writes docs/artefacts.md
	$(BIN)/python benchmarks/artefacts.py

format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff format src tests analysis benchmarks
	$(BIN)/ruff check --fix src tests analysis benchmarks

# Resolved for every platform and Python the package supports; no index is recorded, so a user's own settings hold.
lock: ## resolve requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade -o requirements.lock

clean: ## remove what commands made, but not the environment
	rm -rf results data/derived paper/generated .pytest_cache .mypy_cache .ruff_cache

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "alc_stats needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) --version`. Set PYTHON=python3.12, for example."; exit 1; }
	@echo "alc_stats: setting up its environment in $(VENV) (about 1 minute, once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@echo "alc_stats: compiling its kernels (seconds, once)"
	@$(BIN)/alc-stats compile
	@touch $(STAMP)
