# make book   builds the site          make notebooks   re-executes changed chapters (ALL=1: all)
# make test   runs every test          make run         repeats the first experiment, live
# make serve  rebuilds on save         make live        builds the site with cells that run in the browser
# make pdf    typesets the book        make zips        packs site and notebooks
# make lint, make lock, make wheel, make address URL=…, make test-ray, make test-oldest, make test-latest, make test-processors, make links, make clean

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := book
.PHONY: book live fetched test notebooks run serve pdf zips tex tex-packages lint lock wheel test-ray address test-oldest test-latest test-processors links clean FORCE

PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2
PORT ?= 8000
export OMP_NUM_THREADS := 1

SOURCES := _config.yml _toc.yml requirements-site.txt $(wildcard benchmarks/colab.json) $(shell find adai book publishing -type f ! -path '*/.*' ! -name '*.pyc')

book: _build/html/.built
	@$(PYTHON) -c 'from pathlib import Path; print("The book is built: open", Path("_build/html/index.html").absolute().as_uri())'

# Once they are fetched, each later build has live cells.
live: fetched book
$(if $(filter live,$(MAKECMDGOALS)),_build/html/.built: | fetched)

test: book .venv/.full
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --nbval --nbval-current-env --nbval-kernel-startup-timeout 90 \
	  tests book

# Every chapter as older processors would run it.
test-processors: .venv/.full
	JOBS=$(JOBS) $(BIN)/python tests/processors.py

notebooks: .venv/.full
	$(BIN)/python -m publishing.notebooks $(if $(ALL),--all)

run: .venv/.full
	$(BIN)/python -m adai sweep digits --scale laptop --out _build/runs

serve: .venv/.site
	@$(BIN)/python publishing/make.py serve $(PORT) $(MAKE) --no-print-directory book

# The PDF and the archives lie where the published site offers them.
DOWNLOADS := _build/html/downloads

pdf: tex $(DOWNLOADS)/adai-book.pdf
	@echo "The PDF is built: $(CURDIR)/$(DOWNLOADS)/adai-book.pdf"

# What TeX could not do is an error, as a warning is where the pages are written.
$(DOWNLOADS)/adai-book.pdf: _build/latex/.written
	@echo "Typesetting (some minutes) …"
	@cd _build/latex && max_print_line=1000 latexmk -gg -xelatex -silent -interaction=nonstopmode -halt-on-error adai-book.tex > latexmk.log 2>&1 || { \
	  grep -A 3 '^!' adai-book.log; echo "TeX failed; the whole log is in _build/latex/adai-book.log"; exit 1; }
	@! grep -E 'Missing character|^LaTeX Warning: .*undefined' _build/latex/adai-book.log
	@mkdir -p $(@D)
	@cp _build/latex/adai-book.pdf $@.part && mv $@.part $@

zips: book
	@$(BIN)/python -m publishing.archives $(DOWNLOADS)
	@echo "Site and notebooks are packed: $(CURDIR)/$(DOWNLOADS)"

# What typesetting needs and a Python environment cannot hold.
TEX_PACKAGES := latexmk texlive-xetex texlive-latex-recommended texlive-latex-extra texlive-fonts-recommended \
  fonts-texgyre fonts-texgyre-math fonts-dejavu-core fontconfig librsvg2-bin
TEX_FILES := tcolorbox.sty unicode-math.sty ucharclasses.sty newunicodechar.sty texgyrepagella-regular.otf texgyrepagella-math.otf

tex-packages:
	@echo $(TEX_PACKAGES)

tex:
	@missing() { echo "The PDF needs TeX, and $$1 is missing (Debian: apt install $(TEX_PACKAGES))"; exit 1; }; \
	for tool in latexmk xelatex rsvg-convert fc-list; do command -v $$tool > /dev/null || missing $$tool; done; \
	for file in $(TEX_FILES); do kpsewhich $$file > /dev/null || missing $$file; done; \
	fc-list ":family=DejaVu Sans Mono" | grep -q . || missing "the font DejaVu Sans Mono"

lint: .venv/.full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check adai benchmarks publishing tests
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/codespell
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

# The whole lock has no hashes: of TORCH_INDEX builds it knows the version alone, so that the CPU's build and the GPU's
# both satisfy it. What `make book` installs has no torch, and is held by hashes for every platform.
# The pipe says itself that it may fail: the make of macOS, 3.81, knows no .SHELLFLAGS.
lock: .venv/.full
	set -o pipefail; UV_FIND_LINKS="$$($(BIN)/pip config get global.find-links 2> /dev/null || true)" $(BIN)/uv pip compile -q pyproject.toml \
	  --extra book --group site --group dev --no-annotate --no-header --upgrade --python-version 3.11 \
	  | sed -E '/^(nvidia-|cuda-|triton)/d; s/\+cpu$$//' > requirements.tmp
	mv requirements.tmp requirements.txt
	$(BIN)/uv pip compile -q --group site -c requirements.txt --generate-hashes --universal --no-annotate --no-header --python-version 3.11 > requirements.tmp
	mv requirements.tmp requirements-site.txt

# Built and looked at, not sent anywhere: a tag has the release workflow attach it, with what the changelog says.
VERSION = $$(sed -n 's/^__version__ = "\(.*\)"$$/\1/p' adai/__init__.py)

wheel: .venv/.python
	@version=$(VERSION); [ "$${TAG:-v$$version}" = "v$$version" ] || { echo "The tag is $$TAG, but adai.__version__ is $$version"; exit 1; }
	@$(INSTALL) $$(grep '^uv==' requirements.txt)
	rm -rf dist
	$(BIN)/uv build -q --build-constraints requirements.txt
	$(BIN)/uv tool run -q twine==7.0.0 check --strict dist/*
	@mkdir -p _build
	@awk -v version=$(VERSION) '/^## / {on = $$2 == version; next} on' CHANGELOG.md > _build/release-notes.md

# Ray's own tests; it is too large for the lock that everybody installs.
test-ray: .venv/.full
	$(INSTALL) $$($(BIN)/python -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["ray"][-1])')
	$(BIN)/python -m pytest tests/running/test_cluster.py

address:
	$(PYTHON) -m publishing.address $(URL)

# The newest of everything the ranges in pyproject.toml allow: no cell may raise, and every check must earn the same.
test-latest: .venv/.python
	$(PYTHON) -m venv --clear .venv-latest
	$(if $(TORCH_INDEX),.venv-latest/bin/pip install -q --index-url $(TORCH_INDEX) torch)
	.venv-latest/bin/pip install -q -e ".[book]" nbclient
	.venv-latest/bin/python -m publishing.notebooks --checks

# The oldest that the ranges allow: the optimizers on Python 3.10, then the book on 3.11, but for its site. uv finds these
# Pythons, by version or by path, or fetches them; its settings hold the lock's torch, hence --no-config.
PYTHON_OLDEST ?= 3.10
test-oldest: .venv/.full
	$(call oldest,$(PYTHON_OLDEST))
	.venv-oldest/bin/python -m pytest -n $(JOBS) tests/optim
	$(call oldest,3.11,book ray)
	.venv-oldest/bin/python -m pytest -n $(JOBS) --dist loadfile $(OF_THE_SITE:%=--ignore=tests/%) tests
	.venv-oldest/bin/python -m publishing.notebooks --checks

OF_THE_SITE := book/test_animation.py $(patsubst %,publishing/test_%.py,assets figures graph numbers pages pdf refresh site) \
  site test_makefile.py test_recipes.py test_workflows.py
UV_OLDEST := $(BIN)/uv pip install -q --no-config --python .venv-oldest

define oldest
	@$(BIN)/uv venv -q --no-config --clear --seed --python $(1) .venv-oldest 2> /dev/null || { echo "Python $(1) is missing, and could not be fetched: put it on the PATH, or name another by PYTHON_OLDEST=…"; exit 1; }
	$(if $(TORCH_INDEX),$(UV_OLDEST) --resolution lowest-direct --no-deps --index-url $(TORCH_INDEX) -r pyproject.toml)
	$(UV_OLDEST) --resolution lowest-direct -e . -r pyproject.toml $(addprefix --extra=,$(2))
	$(UV_OLDEST) expecttest flit_core hypothesis import-linter nbclient nbval pytest pytest-xdist pytorch_optimizer
endef

# Asks every other host that a page links to; needs the network.
links: .venv/.site
	$(BIN)/jupyter-book build --builder linkcheck --all --path-output _build/links .

clean:
	rm -rf _build .venv .venv-oldest .venv-latest

# ── what is installed and built: by one make at a time, since two would write the same files ──

ifndef ALONE

# The make that comes second waits, and then looks afresh what there still is to do.
.venv/.python .venv/.site .venv/.full fetched _build/html/.built _build/latex/.written: FORCE
	@command -v $(PYTHON) > /dev/null || { echo "Python is missing: install Python 3.11 or newer (Debian: apt install python3)"; exit 1; }
	@$(PYTHON) publishing/make.py alone $(MAKE) -s ALONE=1 $@

else

# Nothing is executed here: the pages show the outputs that the tests re-run and compare. Where only pages changed
# since the last build that went well, only those are read again.
_build/html/.built: $(SOURCES) $(wildcard _build/live) | .venv/.site
	@rm -f $@; mkdir -p _build; touch _build/.begun
	@$(BIN)/jupyter-book build $(if $(filter-out book/%.ipynb book/%.md,$?),--all) -W -n --keep-going . > _build/build.log 2>&1 || { \
	  grep -E 'WARNING|ERROR|Error' _build/build.log || tail -n 30 _build/build.log; \
	  echo "The book did not build; the whole log is in _build/build.log"; exit 1; }
	@mv _build/.begun $@  # as old as the build's begin: what was saved meanwhile is newer

# The pages were read by `make book`.
_build/latex/.written: _build/html/.built
	@$(BIN)/jupyter-book build -W -n --keep-going --builder latex . > _build/latex.log 2>&1 || { \
	  grep -E 'WARNING|ERROR|Error' _build/latex.log || tail -n 30 _build/latex.log; \
	  echo "The LaTeX source was not written; the whole log is in _build/latex.log"; exit 1; }
	@touch $@

fetched: .venv/.site
	@$(BIN)/python -m publishing.live

# .python is the bare environment, .site renders the book, .full runs and tests it.
.venv/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed (PYTHON=… names another)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "Python's venv module is missing (Debian: apt install python3-venv)"; exit 1; }
	@$(call room,1)
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.site: requirements-site.txt pyproject.toml | .venv/.python
	@$(call room,1)
	@echo "Installing what renders the book …"
	@$(INSTALL) --require-hashes -r requirements-site.txt
	@touch $@

.venv/.full: requirements.txt pyproject.toml | .venv/.site
	@$(call room,3)
	@echo "Installing everything in requirements.txt …"
	@$(if $(TORCH_INDEX),$(INSTALL) --index-url $(TORCH_INDEX) $$(grep '^torch==' requirements.txt))
	@$(INSTALL) -r requirements.txt
	@$(INSTALL) --no-deps -e .
	@touch $@

endif

INSTALL = $(BIN)/python publishing/make.py install
room = free=$$(df -Pk . | awk 'NR == 2 {print int($$4 / 1048576)}'); [ $$free -ge $(1) ] || { echo "The disk is full: $$free GB free here, $(1) GB are needed"; exit 1; }
