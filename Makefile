# make book    sets everything up and builds the book      make test    checks everything
# make help    lists the rest
.DEFAULT_GOAL := help
.PHONY: help book pdf slides serve test test-slow check-pages run sync lint clean \
	repository budgets mutants
MAKEFLAGS += --no-builtin-rules

# One goal after the other, also with -j: two would build the book into one folder at once, or
# use the environment while pip changes it.
.NOTPARALLEL:

# With the first, pip takes what lies elsewhere for installed; the others send packages elsewhere.
unexport PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
WORKERS ?= 2

# The first Python on this machine that is new enough.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11 python,$(shell \
	$(p) -c 'import sys; sys.version_info < (3, 11) or print("$(p)")' 2>/dev/null)))

# PyTorch goes first and alone. On Linux its usual wheels bring gigabytes of CUDA libraries, so a
# machine without an NVIDIA driver asks PyTorch's index of CPU wheels before anything else.
# The range is the way out where this very version has no wheel.
TORCH ?= torch==2.13.0
TORCH_RANGE := torch>=2.6,<3
TORCH_INDEX ?= $(shell test "$$(uname -s)" = Linux && ! command -v nvidia-smi >/dev/null && \
	echo https://download.pytorch.org/whl/cpu)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 1 --timeout 30

READER := $(VENV)/.reader
AUTHOR := $(VENV)/.author

# One thread per worker: two workers with two threads each take longer than one after the other.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# The course runs from its folder, whatever is installed or set elsewhere. Python is named
# in every command: the scripts of a virtual environment lose theirs when the folder is renamed.
HERE := PYTHONPATH="$(CURDIR)" PYDEVD_DISABLE_FILE_VALIDATION=1
# Notebooks come first: what starts last is what one worker waits for.
PYTEST := $(HERE) $(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile \
	--no-loadscope-reorder

help:
	@echo 'make book                  set up, build the book, say where it is'
	@echo 'make serve                 the same, then show it on http://localhost:$(PORT)'
	@echo 'make pdf                   the whole book as one PDF (needs Chromium or Google Chrome)'
	@echo 'make slides                the slides of the lecture as a PDF (needs the same)'
	@echo 'make test                  set up, check code, notebooks, claims and links'
	@echo 'make test-slow             the checks that take minutes: once a week, before a release'
	@echo 'make check-pages           open every page in a browser: cut, pale, noisy, heavy, accessible?'
	@echo 'make run [NOTEBOOK=stem]   run the scripts of notebooks and store their outputs'
	@echo 'make sync                  copy edited cells from the .py twins into the notebooks'
	@echo 'make lint                  check the style of lib and notebooks'
	@echo 'make budgets               time and memory of every notebook'
	@echo 'make mutants [SEED=1]      put 300 small errors into lib and see which the tests notice: half an hour or more'
	@echo 'make repository URL=...    state where this course is published'
	@echo 'make clean                 remove the built book and the virtual environment'

define NETWORK
Setting up did not finish. What to do:
  - Read the message of pip above: it names the package that failed.
  - No network, or a proxy? Set HTTPS_PROXY, or PIP_INDEX_URL to a mirror, and run make again;
    what is already installed is kept.
  - Another Python is used with `make book PYTHON=python3.12`.
endef
export NETWORK
FAILED := { echo "$$NETWORK" >&2; exit 1; }

# Another Python than the one that made the environment, named by hand, makes it anew.
ifneq ($(origin PYTHON),file)
ifneq ($(PYTHON),$(shell cat $(VENV)/.created 2>/dev/null))
.PHONY: $(VENV)/.created
endif
endif

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo 'No Python 3.11 or newer was found. Install one (python.org),' \
		'or name it: make book PYTHON=/path/to/python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo '$(PYTHON) is no Python 3.11 or newer; name one: PYTHON=/path/to/python3.12' >&2; exit 1; }
	@echo 'Creating $(VENV) with $(PYTHON)'
	@$(PYTHON) -m venv --clear $(VENV) || { echo 'Creating a virtual environment failed.' \
		'On Debian and Ubuntu: sudo apt-get install $(patsubst python,python3,$(notdir $(PYTHON)))-venv' >&2; exit 1; }
	@echo '$(PYTHON)' >$@

$(VENV)/.torch: $(VENV)/.created
	@echo 'Installing PyTorch'
	@{ test -n "$(TORCH_INDEX)" && $(PIP) --retries 0 --index-url "$(TORCH_INDEX)" '$(TORCH)'; } \
		|| $(PIP) '$(TORCH)' || $(PIP) '$(TORCH_RANGE)' || $(FAILED)
	@touch $@

$(READER): $(VENV)/.torch requirements.txt requirements-book.txt
	@echo 'Installing what the book and the notebooks need'
	@$(PIP) -r requirements.txt -r requirements-book.txt || $(FAILED)
	@touch $@

$(AUTHOR): $(READER) requirements-test.txt
	@echo 'Installing what the tests need'
	@$(PIP) -r requirements.txt -r requirements-book.txt -r requirements-test.txt || $(FAILED)
	@touch $@

# --all: without it, a second run after a failed strict build succeeds.
book: $(READER)
	@mkdir -p _build
	@$(HERE) $(BIN)/python $(BIN)/jupyter-book build . --all -W --keep-going --quiet >_build/log \
		|| { tail -n 30 _build/log >&2; exit 1; }
	@$(HERE) $(BIN)/python -m lib.course.pages _build/html
	@echo "The book is at file://$(CURDIR)/_build/html/index.html (make serve shows it)"

# Looked for first: a browser is missing more often than anything else, and the book takes longer.
pdf slides: $(READER)
	@$(HERE) $(BIN)/python -m lib.course.chromium || exit 1
	@$(MAKE) --no-print-directory book
	@$(HERE) $(BIN)/python -m lib.course.printed $(filter slides,$@)

serve: book
	@$(BIN)/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT))).close()' \
		2>/dev/null || { echo "Port $(PORT) cannot be used; choose another: make serve PORT=$$($(BIN)/python -c \
		'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')" >&2; exit 1; }
	@echo 'http://localhost:$(PORT) (Ctrl-C ends)'
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

test: lint
	@$(HERE) $(BIN)/python -m lib.course.notebooks
	@$(PYTEST) -m 'not slow'

test-slow: $(AUTHOR)
	@$(PYTEST) -m slow lib

# Needs Chromium, and npm for the rules on accessibility.
AXE := $(VENV)/node_modules/axe-core/axe.min.js
$(AXE): $(AUTHOR)
	@npm install --silent --no-save --prefix $(VENV) axe-core@4.14.1 || { \
		echo 'axe-core was not installed; npm (nodejs.org) brings it' >&2; exit 1; }
	@touch $@

check-pages: book $(AXE)
	@$(HERE) $(BIN)/python -m lib.course.inspection _build/html --axe $(AXE)

run: $(AUTHOR)
	@$(HERE) $(ONE_THREAD) $(BIN)/python -m lib.course.notebooks run $(NOTEBOOK)

sync: $(AUTHOR)
	@$(HERE) $(BIN)/python -m lib.course.notebooks sync

lint: $(AUTHOR)
	@$(BIN)/python -m ruff check --quiet lib notebooks

budgets: $(AUTHOR)
	@$(PYTEST) notebooks

SEED ?= 1
mutants: $(AUTHOR)
	@$(PIP) -r requirements-mutants.txt || $(FAILED)
	@$(HERE) $(ONE_THREAD) nice -n 10 $(BIN)/python -m lib.benchmarks.mutants run \
		_build/mutants --seed $(SEED) --traced

repository: $(AUTHOR)
	@$(HERE) $(BIN)/python -m lib.course.links "$$URL"

# What says that the environment is whole goes first: the rest takes long enough for a Ctrl-C.
clean:
	rm -rf $(VENV)/.created _build $(VENV) .pytest_cache .ruff_cache
