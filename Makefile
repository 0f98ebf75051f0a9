# Needs only make and Python 3.11 or newer. Everything is installed into .venv, at the versions in constraints.txt.
PYTHON ?= python3
BIN := .venv/bin
PACKAGE := pyproject.toml setup.py constraints.txt src/contralto/image/_resample.c
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

# Bytecode is made at the first import: compiling all of every package takes longer than all else that pip does.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test coverage check clean

demo: .venv/core ## classify and search photographs; no PyTorch
	$(BIN)/contralto demo

test: .venv/dev check ## everything that must hold before a change lands
	$(PYTEST)

coverage: .venv/dev ## the same tests, a fifth slower, with the lines that none of them runs
	$(PYTEST) --cov --cov-report=term-missing:skip-covered

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/mypy

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Contralto needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(INSTALL) setuptools
	@touch $@

.venv/core: .venv/python $(PACKAGE)
	$(INSTALL) --no-build-isolation --editable '.[demo]'
	@touch $@

.venv/dev: .venv/python $(PACKAGE)
	$(INSTALL) --no-build-isolation --editable '.[dev]'
	@touch $@ .venv/core

clean:
	rm -rf .venv build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
