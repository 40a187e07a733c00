# make            builds orlop in place: build/orlop, which can be called from anywhere, or linked to as `runc`
# make demo       runs a container made of this machine's own /usr
# make test       sets up what the tests need, then lints and tests
# make lab        runs the tests of containers on another machine: LAB="command that runs one there", TESTS="files"
#
# A build takes gcc (or CC), make and a CPython of 3.11 or newer (or PYTHON), and no network.

# The system's interpreter if it is new enough: every user may run it, which one in somebody's home they may not, it gets
# the security updates, and the one of a distribution starts sooner than one that was built without its profile.
ifndef PYTHON
enough := -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON := $(shell /usr/bin/python3 $(enough) && echo /usr/bin/python3 || echo python3)
endif
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
VENV := build/venv
LAB ?= lab run --timeout 590

cpu := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
other_cpu := $(if $(filter x86_64,$(cpu)),aarch64,x86_64)
cross := $(shell command -v $(other_cpu)-linux-gnu-gcc)

executors := orlop/executor/init.$(cpu) $(if $(cross),orlop/executor/init.$(other_cpu))
executor_sources := orlop/executor/init.c orlop/executor/init.h orlop/executor/executor.ld tools/native.sh

.PHONY: build demo test lab lint format clean FORCE
.DELETE_ON_ERROR:

build: $(executors) build/orlop build/orlop.python
	@build/orlop --version > build/version  # the first start writes the pack of modules, see orlop/packing.py

orlop/executor/init.$(cpu): $(executor_sources)
	tools/native.sh executor $@ $(CC)

orlop/executor/init.$(other_cpu): $(executor_sources)
	tools/native.sh executor $@ $(cross)

build/orlop: $(wildcard launcher/*.[ch]) tools/native.sh
	tools/native.sh launcher $@ $(CC)

# The interpreter itself, and not a virtual environment's link to it or a version manager's script, which take longer.
build/orlop.python: FORCE
	@mkdir -p build
	@$(PYTHON) tools/interpreter.py > $@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

demo: build
	@tools/demo.sh

test: build $(VENV)/ready
	$(MAKE) --no-print-directory lint
	$(VENV)/bin/python -m pytest

lab: build $(VENV)/ready
	LAB='$(LAB)' $(VENV)/bin/python tools/lab_tests.py $(TESTS)

lint: $(VENV)/ready
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/clang-format --dry-run --Werror orlop/executor/*.[ch] launcher/*.[ch]

format: $(VENV)/ready
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format
	$(VENV)/bin/clang-format -i orlop/executor/*.[ch] launcher/*.[ch]

$(VENV)/ready: pyproject.toml tools/packages.sh tools/requirements.py build/orlop.python
	tools/packages.sh
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python tools/requirements.py > build/requirements
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r build/requirements
	touch $@

clean:
	rm -rf build $(executors)
	find orlop tests tools bench -name __pycache__ -prune -exec rm -rf {} +
