# The project's commands. Each makes its environment in .venv when it is missing.
.DEFAULT_GOAL := help
.PHONY: help env demo test lint docs bench check-full slow wheel clean distclean

# A python3.11 that starts, else python3 (any version that pyproject.toml allows).
PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
BIN := .venv/bin
INSTALL := PYTHON=$(PYTHON) sh .ci/install
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest
HEADING = @printf '\n=== %s ===\n'

help:
	@echo 'make env         environment in .venv, and igv.js in the cache where npm exists'
	@echo 'make demo        the whole path on a simulated genome, about 2 minutes'
	@echo 'make test        tests, without the slow ones (FT_S2A_MIRROR adds those on real data)'
	@echo 'make lint        ruff and mypy'
	@echo 'make docs        documentation in site/'
	@echo 'make bench       benchmarks'
	@echo 'make check-full  everything: lint, all tests, wheel, benchmarks, the demo with training'
	@echo 'make clean       remove what was built; distclean removes .venv too'

.venv/.installed: pyproject.toml constraints.txt .ci/install
	$(INSTALL) 'browser,dev'
	@$(BIN)/python .ci/fetch_igv.py
	@touch $@

.venv/.installed-docs: .venv/.installed
	$(INSTALL) 'docs'
	@touch $@

env: .venv/.installed
	@$(BIN)/python .ci/fetch_igv.py

demo: .venv/.installed
	$(BIN)/ft-s2a demo --overwrite

test: .venv/.installed
	$(PYTEST) -n 2 --dist worksteal

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/.installed-docs
	@if [ -f mkdocs.yml ]; then $(BIN)/mkdocs build --strict; else echo 'docs: no mkdocs.yml, nothing to build'; fi

# Benchmarks measure alone, in one process, and choose their own number of threads.
bench: .venv/.installed
	@if ls tests/benchmarks/test_*.py >/dev/null 2>&1; \
	then $(BIN)/python -m pytest -m '' -s -p no:xdist tests/benchmarks; \
	else echo 'bench: no benchmarks in tests/benchmarks'; fi

# pytest ends with 5 when no test is marked slow.
slow: .venv/.installed
	$(PYTEST) -m slow || [ $$? -eq 5 ]

wheel: .venv/.installed
	sh .ci/test-wheel

check-full: .venv/.installed
	$(HEADING) lint
	@$(MAKE) --no-print-directory lint
	$(HEADING) tests
	@$(MAKE) --no-print-directory test
	$(HEADING) 'slow tests'
	@$(MAKE) --no-print-directory slow
	$(HEADING) documentation
	@$(MAKE) --no-print-directory docs
	$(HEADING) wheel
	@$(MAKE) --no-print-directory wheel
	$(HEADING) benchmarks
	@$(MAKE) --no-print-directory bench
	$(HEADING) 'demo with training'
	$(BIN)/ft-s2a demo --train --overwrite

clean:
	rm -rf build dist site htmlcov test-results .coverage .coverage.* demo-simulated demo-yeast
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find ft_s2a tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf .venv
