# On a fresh clone: `make demo`, `make test`, `make docs`. Each installs into .venv first.
# `make test` is for every change, `make test-all` for what lands: it adds `make test-rest`, everything that takes long.

PYTHON ?= python3
BIN := .venv/bin
PYTEST := pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
# `--fresh` has `make test` check exercises again that have not changed since they were last checked.
FRESH ?=
FLOORS := .venv-floors
# The lowest torch that is tested: a CPU build of an older one is on no index but its own (TORCH_INDEX).
FLOOR_TORCH ?= $(shell grep ^torch== constraints.txt)
TORCH_INDEX ?=

.PHONY: demo test test-rest test-all test-floors test-pythons docs clean

demo: .venv/installed
	$(BIN)/grade --submission examples/submission --fail-under 0

test: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/$(PYTEST) -m "not cold"
	$(BIN)/grade check $(FRESH)

test-rest: .venv/installed
	$(BIN)/$(PYTEST) -m cold
	$(BIN)/grade check --mutants --fresh

test-all: FRESH = --fresh
test-all: test test-rest

# The lowest versions that pyproject.toml accepts.
test-floors: $(FLOORS)/installed
	$(FLOORS)/bin/$(PYTEST) -m unit -W default
	$(FLOORS)/bin/grade --submission examples/submission --fail-under 0

# Every other Python of this machine for which its index offers torch.
test-pythons:
	$(PYTHON) .ci/pythons.py

docs: .venv/installed
	$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet --doctree-dir build/doctrees docs site
	@echo "Open site/index.html"

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

$(FLOORS)/installed: pyproject.toml constraints.txt .ci/floors.py
	$(PYTHON) -m venv --clear $(FLOORS)
	$(FLOORS)/bin/python .ci/floors.py $(FLOOR_TORCH) > $(FLOORS)/floors.txt
	$(FLOORS)/bin/pip install --quiet --disable-pip-version-check $(TORCH_INDEX:%=--extra-index-url %) \
		-c $(FLOORS)/floors.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-floors .venv-python3.* build dist site .pytest_cache .mypy_cache .ruff_cache
