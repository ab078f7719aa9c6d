# make reports · make test · make lab · make docs · make bench: each sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HASH := $(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)
STAMP := $(VENV)/.installed-$(HASH)
UV := $(shell command -v uv 2>/dev/null)
OUT ?= reports/out
SMOKE ?= .make/smoke
SITE ?= .make/site
NBVAL := $(wildcard notebooks/[0-9]*.ipynb)
KERNEL ?= kepu-warm
# Planted changes must fail the right cells; three other sets of parameters must run.
NBTESTS := tests/test_nbval.py tests/test_notebook_parameters.py
# Nothing of the caller's shell may change which packages or kernels run.
unexport PYTHONPATH
unexport PYTHONHOME
unexport VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help setup reports check test lint unit nbval smoke fuzz lab docs bench notebooks lock clean

help:  ## show the targets
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' Makefile

setup: $(STAMP)  ## install the locked packages into .venv, where they are not there yet

# The name of the stamp holds a sum over both files, so a fresh checkout's times do not matter.
$(STAMP):
	@command -v $(PYTHON) >/dev/null || { \
	  echo "No $(PYTHON) found: install Python 3.11 or later, or name one: make PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or later is needed, $(PYTHON) is older: make PYTHON=python3.12"; exit 2; }
	@rm -f $(VENV)/.installed-*
ifneq ($(UV),)
	uv venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" $(VENV)
	uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	uv pip install --quiet --python $(BIN)/python --no-deps -e .
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
endif
	@touch $@

reports: $(STAMP)  ## make every report: provinces, leagues, overview, both languages
	$(BIN)/kepu batch reports/batches/all.yml --out $(OUT)

check: $(STAMP)  ## check the data package
	$(BIN)/kepu check

test: lint unit nbval smoke  ## lint, tests, notebooks, one small batch end to end

lint: $(STAMP)
	$(BIN)/ruff check src tests docs
	$(BIN)/ruff format --check src tests docs

unit: $(STAMP)
	$(BIN)/pytest -n 2 --dist worksteal --durations=10 src tests --ignore-glob="tests/reference/*.py" $(NBTESTS:%=--ignore=%)

# Stale outputs first, which costs nothing; then every cell of the numbered notebooks on the warm kernel. The
# standard kernel: make nbval KERNEL=python3
nbval: $(STAMP)  ## run the notebooks, hold checked cells to their stored outputs
	@test -n "$(NBVAL)" || { echo "no notebook matches notebooks/[0-9]*.ipynb"; exit 1; }
	$(BIN)/kepu notebooks --check
	$(BIN)/pytest --nbval-lax --nbval-kernel-name $(KERNEL) -n 2 $(NBVAL)
	$(BIN)/pytest -n 2 --dist worksteal $(NBTESTS)

smoke: $(STAMP)
	rm -rf $(SMOKE)
	$(BIN)/kepu batch reports/batches/smoke.yml --out $(SMOKE)

FUZZ ?= 3000
fuzz: $(STAMP)  ## spoil packages, batch files, options and state 3,000 times; FUZZ and KEPU_FUZZ_SEED
	KEPU_FUZZ=$(FUZZ) KEPU_FUZZ_SEED=$${KEPU_FUZZ_SEED:-$$(date +%s)} $(BIN)/pytest -n 2 -q tests/test_fuzz.py

lab: $(STAMP)  ## open JupyterLab on the welcome notebook
	$(BIN)/jupyter lab --ServerApp.root_dir=. notebooks/00_welcome.ipynb

docs: $(STAMP)  ## build the documentation into .make/site
	$(BIN)/sphinx-build -q -W --keep-going -d .make/doctrees docs $(SITE)
	@echo "open $(SITE)/index.html"

bench: $(STAMP)  ## measure a batch against a plain loop and the limit; writes docs/results.md
	$(BIN)/python benchmarks/run.py

notebooks: $(STAMP)  ## run the notebooks that are out of date and store their outputs
	$(BIN)/kepu notebooks
	$(BIN)/nb-clean clean --preserve-cell-outputs --preserve-execution-counts \
	  --preserve-cell-metadata notebooks

lock: $(STAMP)  ## renew requirements.lock within the bounds of pyproject.toml; needs uv
	uv pip compile pyproject.toml --extra dev --extra docs --extra test --universal --python-version 3.11 --upgrade --quiet \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
	  -o requirements.lock

clean:  ## remove .venv and everything made
	rm -rf $(VENV) $(OUT) .make docs/generated .pytest_cache .ruff_cache
