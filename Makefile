# Batchyard. `make` alone prints what there is.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
SEEDS ?= 1000
MINUTES ?= 30
EXAMPLES ?= 10000
.DEFAULT_GOAL := help
.PHONY: help install demo serve test check sim fuzz bench soak bless generate verify docs clean test-clients

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

install: .venv/installed ## make .venv with batchyard and everything that develops it

.venv/installed: requirements.lock pyproject.toml
	bash tools/make-venv .venv $(PYTHON)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: install ## serve, run a real map-reduce through boto3, show it, stop
	$(BIN)/python examples/map_reduce.py

serve: install ## the server, on 127.0.0.1:22824
	$(BIN)/batchyard serve $(ARGS)

check: install ## format, lint, types, import contracts, generated files: under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) --no-print-directory verify

test: install ## every test that this machine can run; installs what they need
	PYTHON=$(PYTHON) bash tests/machine/prepare
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

quick: install ## the tests that start no process: under a minute
	$(BIN)/python -m pytest -n 2 -m "not process and not slow" $(ARGS)

test-clients: install ## install the client programs (1.5 GB) into .venv-clients/ and run their tests
	PYTHON=$(PYTHON) bash tests/clients/install || true
	$(BIN)/python -m pytest -m clients $(ARGS)

sim: install ## the crash simulation over SEEDS seeds (or SEED=n for one)
	$(BIN)/python -m tests.simulation.run $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

fuzz: install ## EXAMPLES generated requests against a server; every answer must be one
	$(BIN)/python -m tests.fuzz.run --examples $(EXAMPLES)

sim-scheduling: install ## replay a day of jobs against four scheduling policies, check them, draw the pictures of the docs
	$(BIN)/batchyard simulate examples/scheduling/day.swf --charts docs/images/scheduling \
	  $(foreach name,fifo fair-share reservation priorities,--policy examples/scheduling/$(name).toml) $(ARGS)

bench: install .venv-bench/installed ## the benchmarks, with their ratios into docs/performance.md
	$(BIN)/python -m benchmarks --write-docs $(ARGS)

soak: install ## MINUTES of steady work against a server, of which nothing may grow
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

.venv-bench/installed: requirements-bench.lock
	bash tools/make-venv .venv-bench $(PYTHON)
	.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

bless: install ## write the goldens anew from what the code does now
	BLESS=1 $(BIN)/python -m pytest -q tests/api tests/docs

generate: install ## write generated files: typed shapes, diagrams, command reference
	$(BIN)/python tools/generate.py

verify: install ## check that generated files are current
	$(BIN)/python tools/generate.py --check

lock: ## resolve the dependencies of pyproject.toml anew into requirements.lock
	bash tools/lock

docs: install ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean: ## remove everything that can be made again
	rm -rf .venv .venv-bench .venv-clients site build dist .mypy_cache .ruff_cache .hypothesis
