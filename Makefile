# `make demo`, `make test`, `make fuzz`, `make paper`, `make paths` and `make bench` set up everything they need in .venv, then run.
# `make docs` builds the pages in docs/_build/html; `make notebooks` executes those of docs/examples anew.
# `make package` builds the wheel and tries it in .venv-wheel, with ARGS="--extras plot files" these extras too.
# `make test-oldest` runs the suite in .venv-oldest, with the oldest versions that pyproject.toml allows (Python 3.11 or 3.12).
PYTHON ?= python3
TORCH_INDEX ?=
BIN := .venv/bin

.PHONY: demo test test-slow test-oldest fuzz paper paths bench bench-gpu package docs notebooks format clean

demo: .venv/installed
	$(BIN)/python -m quimb_deepnets demo $(ARGS)

test: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto $(ARGS)

test-slow: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto -m slow $(ARGS)

test-oldest: .venv-oldest/installed
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest -n auto $(ARGS)

fuzz: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz $(ARGS)

paper: .venv/installed
	$(BIN)/python -m examples.paper.run $(ARGS)

paths: .venv/installed
	$(BIN)/python examples/networks/search.py $(ARGS)

bench: .venv/installed
	$(BIN)/python benchmarks/run.py $(ARGS)

docs: .venv/docs
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html $(ARGS)
	$(BIN)/python docs/check_links.py docs/_build/html

notebooks: .venv/docs
	OMP_NUM_THREADS=1 $(BIN)/python docs/run_notebooks.py $(ARGS)

bench-gpu: .venv/installed
	$(BIN)/python benchmarks/gpu.py $(ARGS)

package: .venv-package/installed
	.venv-package/bin/python -m tests.package $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX)) $(ARGS)

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-oldest .venv-package .venv-wheel dist demo_output docs/_build docs/api

.venv/installed: constraints.txt
.venv-oldest/installed: constraints-oldest.txt
.venv/installed .venv-oldest/installed: pyproject.toml
	@command -v $(PYTHON) >/dev/null || \
		{ echo "$(PYTHON) is not installed: install Python 3.11 or newer, or name it with 'make PYTHON=...'."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is too old: install Python 3.11 or newer, or name it with 'make PYTHON=...'."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --no-deps -c $(filter constraints%,$^) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(@D)/bin/python -m pip install --quiet -c $(filter constraints%,$^) -e '.[test]'
	@touch $@

.venv/docs: .venv/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[docs]'
	@touch $@

.venv-package/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet build twine
	@touch $@
