# Everything a developer, a new user and CI run. Each target makes what it needs; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BROWSER := .cache/chromium/chromium
MARIADB_SERVER := .cache/mariadb/mariadbd
REDIS_SERVER := .cache/redis/redis-server

.DEFAULT_GOAL := help
.PHONY: help demo check test matrix distributed docs release-check screenshots chaos forks lint house bench compare constraints clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

$(INSTALLED): pyproject.toml constraints.txt airflow_provider_oss/__init__.py
	@echo "Installing into $(VENV) (once; a minute or two)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --no-cache-dir --quiet --disable-pip-version-check --constraint constraints.txt uv
	@UV_CACHE_DIR=.cache/uv VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --constraint constraints.txt --editable . --group dev --group docs
	@touch $(INSTALLED)

demo: $(INSTALLED)  ## Kill an upload in a real Airflow and watch it resume; FILE=/path takes your own file, KEEP=1 leaves its UI open
	@$(BIN)/python -m tests.demo $(if $(FILE),--file "$(FILE)") $(if $(KEEP),--keep)

$(BROWSER): | $(INSTALLED)
	@echo "Looking for a Chromium, or fetching Debian's into .cache (once; half a minute)"
	@CHROMIUM="$(CHROMIUM)" $(BIN)/python -m tests.support.chromium

$(MARIADB_SERVER): | $(INSTALLED)
	@echo "Looking for a MariaDB, or fetching Debian's into .cache (once; a few seconds)"
	@MARIADB="$(MARIADB)" $(BIN)/python -m tests.support.mariadb

$(REDIS_SERVER): | $(INSTALLED)
	@echo "Looking for a Redis, or fetching Debian's into .cache (once; a few seconds)"
	@REDIS="$(REDIS)" $(BIN)/python -m tests.support.redis_server

check: $(INSTALLED) $(MARIADB_SERVER) lint  ## Check style and types, and run the tests that start no Airflow: what to do before each commit
	@$(BIN)/python -m pytest -q --numprocesses 2 --dist loadgroup -m "not starts_airflow"

test: $(INSTALLED) $(BROWSER) $(MARIADB_SERVER) lint  ## Check style and types, run all tests with branch coverage, then those of Airflow on the oldest one
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup --cov --cov-report term --cov-fail-under 90
	@$(BIN)/python -m tests.matrix --only 2.11 --short

matrix: $(INSTALLED) $(BROWSER) $(MARIADB_SERVER) $(REDIS_SERVER)  ## Run all tests on every Airflow, each in its own environment, and a death of a node; ONLY="2.11 3.0" narrows it
	@$(BIN)/python -m tests.matrix $(if $(ONLY),--only "$(ONLY)")

distributed: $(INSTALLED) $(REDIS_SERVER)  ## Play deaths of machines in an Airflow of two nodes; ONLY="killed or frozen" narrows it
	@UV_CACHE_DIR=.cache/uv VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --constraint constraints.txt --group distributed
	@$(BIN)/python -m pytest -q -n 0 --timeout 600 -m distributed $(if $(ONLY),-k "$(ONLY)") tests/distributed

docs: $(INSTALLED)  ## Build the documentation site into .cache/site; every warning and every dead link is an error
	@$(BIN)/python -m docs.build

release-check: $(INSTALLED)  ## Build what would be published and install it with every Airflow; ONLY="2.11 3.0" narrows it
	@UV_CACHE_DIR=.cache/uv VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --constraint constraints.txt --group release
	@$(BIN)/python -m tests.release $(if $(ONLY),--only "$(ONLY)")

screenshots: $(INSTALLED) $(BROWSER)  ## Take the pictures of docs/images again
	@SCREENSHOTS=docs/images $(BIN)/python -m pytest -q -n 0 tests/browser

chaos: $(INSTALLED)  ## Play every fault and many kills, by SEED and ROUNDS, and stop at the first broken promise
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only "$(ONLY)")

forks: $(INSTALLED)  ## Fork a process in the middle of its transfers, FORKS times: not one wrong byte, no connection lost
	@$(BIN)/python -m tests.hostile.forks --forks $(or $(FORKS),1000)

lint: $(INSTALLED)  ## Check format, style and types, and the Dockerfile
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/hadolint docker/Dockerfile

house: $(INSTALLED)  ## Measure the structure of this package; BASE=/path another checkout, or any package, beside it
	@$(BIN)/python -m tests.house $(BASE)

bench: $(INSTALLED) $(REDIS_SERVER)  ## Measure this package and its peers on this machine; ONLY="upload https" and ROUNDS narrow it
	@UV_CACHE_DIR=.cache/uv VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --constraint constraints.txt --group bench --group distributed
	@$(BIN)/python -m benchmarks $(ONLY) $(if $(ROUNDS),--rounds $(ROUNDS))

compare: $(INSTALLED)  ## Measure another checkout (BASE=/path) and this one in turn; ONLY="upload files", ROUNDS, SCALE narrow it
	@$(BIN)/python -m benchmarks.versus --base "$(BASE)" $(ONLY) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SCALE),--scale $(SCALE))

constraints: $(INSTALLED)  ## Pin the newest versions of everything, for every Airflow; ONLY="2.11 3.0" narrows it
	@$(BIN)/python -m tests.matrix --pin $(if $(ONLY),--only "$(ONLY)")

clean:  ## Remove what the targets made
	rm -rf $(VENV) .cache .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache dist
