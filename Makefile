# make book   builds the site          make notebooks   re-executes changed chapters (ALL=1: all)
# make test   runs every test          make run         repeats the first experiment, live
# make serve  rebuilds on save         make live        builds the site with cells that run in the browser
# make lint, make lock, make address URL=…, make test-latest, make links, make clean

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := book
.PHONY: book live test notebooks run serve lint lock address test-latest links clean

PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2
PORT ?= 8000
export OMP_NUM_THREADS := 1

SOURCES := _config.yml _toc.yml requirements.txt $(shell find adai book -type f ! -path '*/.*' ! -name '*.pyc')

book: _build/html/.built
	@echo "The book is built: open file://$(CURDIR)/_build/html/index.html"

# Nothing is executed here: the pages show the outputs that the tests re-run and compare.
_build/html/.built: $(SOURCES) $(wildcard _build/live) | .venv/.site
	@rm -f $@
	@$(BIN)/jupyter-book build --all -W -n --keep-going . > _build.log 2>&1 || { \
	  grep -E 'WARNING|ERROR|Error' _build.log || tail -n 30 _build.log; \
	  echo "The book did not build; the whole log is in _build.log"; exit 1; }
	@mv _build.log _build/build.log
	@touch $@

# Once they are fetched, each later build has live cells.
live: .venv/.site
	@$(BIN)/python -m adai.book.live
	@$(MAKE) --no-print-directory book

test: book .venv/.full
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --nbval --nbval-current-env --nbval-kernel-startup-timeout 300 \
	  tests book

notebooks: .venv/.full
	$(BIN)/python -m adai.book.notebooks $(if $(ALL),--all)

run: .venv/.full
	$(BIN)/python -m adai sweep digits --scale laptop --out _build/runs

serve: book
	@echo "Serving http://localhost:$(PORT); saving a file rebuilds (Ctrl-C stops)"
	@$(BIN)/python -m http.server -d _build/html $(PORT) > /dev/null 2>&1 & trap "kill $$!" EXIT; \
	  $(BIN)/watchfiles "$(MAKE) --no-print-directory book" adai book _config.yml _toc.yml

lint: .venv/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check adai tests
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/codespell
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

# TORCH_INDEX builds are locked by their version alone, so that the CPU's build and the GPU's both satisfy the lock.
lock: .venv/.full
	UV_FIND_LINKS="$$($(BIN)/pip config get global.find-links 2> /dev/null || true)" $(BIN)/uv pip compile -q pyproject.toml \
	  --extra book --group site --group dev --no-annotate --no-header --upgrade --python-version 3.11 \
	  | sed -E '/^(nvidia-|cuda-|triton)/d; s/\+cpu$$//' > requirements.tmp
	mv requirements.tmp requirements.txt

address:
	$(PYTHON) -m adai.book.address $(URL)

# The newest of everything the ranges in pyproject.toml allow: no cell may raise, and every check must earn the same.
test-latest: .venv/.python
	$(PYTHON) -m venv --clear .venv-latest
	$(if $(TORCH_INDEX),.venv-latest/bin/pip install -q --index-url $(TORCH_INDEX) torch)
	.venv-latest/bin/pip install -q -e ".[book]" nbclient
	.venv-latest/bin/python -m adai.book.notebooks --checks

# Asks every other host that a page links to; needs the network.
links: .venv/.site
	$(BIN)/jupyter-book build --builder linkcheck --all --path-output _build/links .

clean:
	rm -rf _build _build.log .venv .venv-latest

# ── environments: .python is the bare one, .site renders the book, .full runs and tests it ──

.venv/.python:
	@command -v $(PYTHON) > /dev/null || { echo "Python is missing: install Python 3.11 or newer (Debian: apt install python3)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed (PYTHON=… names another)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "Python's venv module is missing (Debian: apt install python3-venv)"; exit 1; }
	@$(call room,1)
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.site: requirements.txt pyproject.toml | .venv/.python
	@$(call room,1)
	@echo "Installing what renders the book …"
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["site"], sep="\n")' > .venv/site.txt
	@$(BIN)/pip install -q --disable-pip-version-check -c requirements.txt -r .venv/site.txt
	@touch $@

.venv/.full: requirements.txt pyproject.toml | .venv/.site
	@$(call room,3)
	@echo "Installing everything in requirements.txt …"
	@$(if $(TORCH_INDEX),$(BIN)/pip install -q --disable-pip-version-check --index-url $(TORCH_INDEX) $$(grep '^torch==' requirements.txt))
	@$(BIN)/pip install -q --disable-pip-version-check -r requirements.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

room = free=$$(df -Pk . | awk 'NR == 2 {print int($$4 / 1048576)}'); [ $$free -ge $(1) ] || { echo "The disk is full: $$free GB free here, $(1) GB are needed"; exit 1; }
