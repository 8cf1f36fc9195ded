# `make help` lists the targets. Everything is installed into $(VENV), nothing outside this folder.

VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed

# The python3 of the PATH when Tandem runs on it, else the newest that does.
SUITABLE = import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info < (3, 13))
PYTHON ?= $(shell for python in python3 python3.12 python3.11 python3.10; do \
	$$python -c '$(SUITABLE)' 2>/dev/null && echo $$python && break; done)

.PHONY: help demo test lint install constraints clean

help: ## lists the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 22
	@echo "Variables: PYTHON=python3.11 (which Python), VENV=.venv (where to install)"

demo: $(STAMP) ## trains, evaluates and serves MovieLens-100K; ends with recommendations over gRPC
	$(BIN)/tandem run --config configs/movielens-100k.yaml --output runs/movielens-100k

test: $(STAMP) ## runs all tests
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP) ## checks style, formatting, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(STAMP) ## creates the virtual environment and installs Tandem into it

# Remade only when what is to be installed changes; the package itself is editable.
$(STAMP): setup.py constraints.txt
	@test -n '$(PYTHON)' || { echo >&2 'make: no Python 3.10, 3.11 or 3.12 with venv and ensurepip was found;' \
		'install one (Debian, Ubuntu: apt install python3-venv) or name it: make PYTHON=/path/to/python3.11'; exit 1; }
	@$(PYTHON) -c '$(SUITABLE)' || { echo >&2 'make: $(PYTHON) is no Python 3.10 to 3.12 with venv and ensurepip'; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

# One resolution for all extras and every Python that setup.py allows ([tool.uv] in pyproject.toml
# names the platform). The platform goes without saying in the file, so that it stays readable.
constraints: ## resolves constraints.txt anew, with uv
	$(PYTHON) -m venv --clear .constraints-venv
	.constraints-venv/bin/python -m pip install --quiet --disable-pip-version-check uv
	.constraints-venv/bin/uv pip compile setup.py --all-extras --universal --python-version 3.10 \
		--no-python-downloads --upgrade --no-header --no-annotate --quiet --output-file constraints.new
	{ echo '# The whole resolved set with all extras for Python 3.10 to 3.12, written by `make constraints`.'; \
		sed -E "s/ and (platform_[a-z]+|sys_platform|implementation_name) [=!]= '[A-Za-z0-9_]+'//g; \
		s/( ;| and) python_full_version < '3\.13'//; s/^([^;]+) and /\1 ; /" constraints.new; } > constraints.txt
	rm -r .constraints-venv constraints.new

clean: ## removes environments, caches and build products; runs/ stays
	rm -rf .venv .ci-venv .constraints-venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
