# Perennial's commands. `make help` lists them.
# `make demo` and `make test` are the two that matter, on a fresh machine too.
.DEFAULT_GOAL := help
SHELL := /bin/sh

# The first of these that is Python 3.11 to 3.13 makes the environment; `make PYTHON=…` chooses.
PYTHON ?=
# Months that `make demo` lives through.
MONTHS ?= 4
CANDIDATES := $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11)
BIN := .venv/bin
export UV_PYTHON_DOWNLOADS := never
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --python $(BIN)/python \
	--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"
JUDGEMENT := $(filter $(basename $(notdir $(wildcard benchmarks/*.py))), \
	gate_proof checks renewal gate dependence gate_speed replay)
WATCHING := $(filter $(basename $(notdir $(wildcard benchmarks/*.py))), \
	before_labels causes claims decisions drift effects false_alarms few_windows plain_replay power \
	quiet_lives replay replay_evidence replay_speed season)
SCALE := $(filter $(basename $(notdir $(wildcard benchmarks/*.py))), \
	bucket fleet growth large large_training ledger queue rolling spark worker_kills)
CODE := benchmarks dags demo door pipelines plugins serving stack tools
LOCKED_IMAGES := airflow door mlflow serving serving-native spark steps

.PHONY: help venv venv-dev spark lock check format-check types imports format \
	test test-fast test-all test-cluster up status down demo example \
	bench bench-judgement bench-watching bench-growth bench-scale gate-proof \
	images clean secrets signing-key

help: ## list the commands
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | \
		awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

venv: ## make .venv from requirements.txt (again only when a lock changed)
	@sh tools/venv.sh requirements.txt -- $(CANDIDATES)

venv-dev: ## the same with what development needs
	@sh tools/venv.sh requirements.txt requirements-dev.txt -- $(CANDIDATES)

spark: venv ## make .venv-spark, the environment of Spark's driver
	@sh tools/spark_venv.sh docker/spark.txt

lock: venv ## compile the *.in files into locked requirements with hashes
	$(COMPILE) requirements-tools.in -o requirements-tools.txt
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt
	for image in $(LOCKED_IMAGES); do \
		$(COMPILE) docker/$$image.in -o docker/$$image.txt || exit 1; \
	done

check: venv-dev ## format, lint, types, import contracts
	@$(MAKE) -j 2 --output-sync=target --no-print-directory format-check types imports

format-check:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

imports:
	PYTHONPATH=plugins $(BIN)/lint-imports --no-logo

format: venv-dev ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Tests start hundreds of processes. Where PYTHONDONTWRITEBYTECODE is set, each would compile all.
test test-fast test-all test-cluster: export PYTHONDONTWRITEBYTECODE =
test: venv-dev spark ## all tests but the long ones (this is what CI runs)
	@$(BIN)/python -m compileall -q -j 0 $(CODE)
	$(BIN)/python -m pytest -m "not long" -n 3 --no-loadscope-reorder

test-fast: venv-dev ## the tests without servers, trainings and processes: a minute and a half
	$(BIN)/python -m pytest -m "not slow and not engine and not long and not heavy" -n 2

test-all: venv-dev spark ## the long tests too: many hostile bodies, many kills, slow benchmarks
	$(BIN)/python -m pytest

# What is not there is skipped; a cluster is started where a script beside the checkout can do it.
test-cluster: venv-dev spark ## the tests on Kubernetes (KUBECONFIG), S3 (PERENNIAL_TEST_S3), Spark
	@eval "$$(sh tools/cluster.sh)"; PERENNIAL_TEST_SPARK=1 $(BIN)/python -m pytest -m cluster

up: venv ## start Airflow, MLflow and the server on 127.0.0.1 (EXECUTOR=celery: with two workers)
	@$(if $(EXECUTOR),PERENNIAL_EXECUTOR=$(EXECUTOR)) $(BIN)/python -m stack up

status: venv ## what of the stack runs, and where
	@$(BIN)/python -m stack status

down: venv ## stop the stack
	@$(BIN)/python -m stack down

# A model lives through the months, renewed by its own drift DAG; the stack keeps running.
demo: venv ## four months of real flights through the whole loop (MONTHS=10: the year)
	@MONTHS=$(MONTHS) $(BIN)/python -m demo

example: venv ## bring a worked example to life in the running stack (NAME=iris)
	@$(BIN)/python -m demo.example $(NAME)

bench: venv-dev ## measure what the documentation claims about speed; writes benchmarks/results/
	$(BIN)/python -m benchmarks

gate-proof: venv-dev ## bad models and better ones through the real gate: what it refuses, and loses
	$(BIN)/python -m benchmarks.gate_proof

bench-judgement: venv-dev ## all that is measured of the gate: its proof, its rates, real months
	@for name in $(JUDGEMENT); do \
		$(BIN)/python -m benchmarks.$$name || failed="$$failed $$name"; \
	done; \
	[ -z "$$failed" ] || { echo "Failed, or reached less than was asked:$$failed."; exit 1; }

bench-watching: venv-dev ## how often quiet windows are called changed, changed ones seen
	@for name in $(WATCHING); do \
		$(BIN)/python -m benchmarks.$$name || failed="$$failed $$name"; \
	done; \
	[ -z "$$failed" ] || { echo "Failed, or reached less than was asked:$$failed."; exit 1; }

bench-growth: venv-dev ## a retraining and a look beside long histories, ledgers and many models
	$(BIN)/python -m benchmarks.growth

bench-scale: venv-dev ## all that is measured of size (the bucket's part needs PERENNIAL_TEST_S3)
	@for name in $(SCALE); do \
		$(BIN)/python -m benchmarks.$$name || failed="$$failed $$name"; \
	done; \
	[ -z "$$failed" ] || { echo "Failed, or reached less than was asked:$$failed."; exit 1; }

secrets: ## make .env with the secrets that docker compose reads (what is there stays; mode 600)
	@python3 -m stack.compose_secrets

signing-key: ## put a new key that signs bundles into .env (then: docker compose up -d --wait)
	@python3 -m stack.compose_secrets --new-signing-key

images: ## build the Docker images perennial/* (BASE=…, TAG=…, IMAGES="steps serving")
	@BASE="$(BASE)" TAG="$(TAG)" NETWORK="$(NETWORK)" IMAGES="$(IMAGES)" \
		$(or $(PYTHON),python3) tools/images.py

clean: ## remove .venv, .venv-spark and caches (state in var/ stays; `rm -rf var` removes that)
	rm -rf .venv .venv-spark .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
