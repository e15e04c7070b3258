# Every target sets up what it needs: `make setup` is implied and does nothing when nothing changed.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.installed-for-demo
LOCKS := demo operator sidecar cli engines
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header

help: ## Show this index
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  \033[1mmake %-13s\033[0m %s\n", $$1, $$2}'

setup: $(STAMP) ## Install everything into .venv (implied by the other targets)

$(STAMP): pyproject.toml requirements/dev.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements/dev.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# Less than the developers' tools, so that a first look costs a minute.
$(DEMO_STAMP): pyproject.toml requirements/demo.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements/demo.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(if $(wildcard $(STAMP)),$(STAMP),$(DEMO_STAMP)) ## Show the main job, simulated: every model, both APIs, an engine killed and back (KEEP=1 stays up)
	@$(BIN)/modelpool demo $(if $(KEEP),--keep)

test: lint test-node test-rest test-gateway ## Check everything and run every test, up to pods on a real node (with -j2 on two cores)

GATEWAY := sidecar/modelpool_sidecar e2e/cases/compiled_gateway

test-node: setup ## Run the tests on a real node, and print where the time went
	@$(BIN)/python -m pytest --durations=15 -m "node and not engines and not clients"

test-rest: setup ## Run every other test, and print where the time went
	@$(BIN)/python -m pytest --durations=15 -m "not node and not engines and not clients" $(GATEWAY:%=--ignore=%)

test-gateway: setup ## Run the gateway's own tests, interpreted and compiled, and print where the time went
	@$(BIN)/python -m pytest --durations=15 -m "not node and not engines and not clients" $(GATEWAY)

test-engines: setup ## Hold the gateway against a real vLLM and a real Ollama on this CPU (installs both, 7 GB of disk, once)
	@$(BIN)/python -m modelpool_real_engines
	@$(BIN)/python -m pytest -m engines -q -p no:cacheprovider e2e/cases/real_engines

test-clients: setup ## Ask the gateway with the clients that people use, of npm and PyPI (installs them, 0.7 GB of disk, once)
	@$(BIN)/python e2e/cases/clients/client_environments.py
	@$(BIN)/python -m pytest -m "clients or not clients" -q -p no:cacheprovider e2e/cases/clients --clients-sum

images: setup ## Build the container images with docker, podman or buildah, and hold them to size and start time
	@$(BIN)/python -m modelpool_under_test images

CASE ?=
PROVIDER ?= node
e2e: setup ## Run the cases on a real node; CASE=name takes a folder of e2e/cases or a word of a test's name (PROVIDER=node|kind|external)
	@$(BIN)/python -m pytest --durations=15 $(if $(filter-out node,$(PROVIDER)),--cluster-provider=$(PROVIDER)) \
	  $(if $(CASE),$(if $(wildcard e2e/cases/$(CASE)/.),e2e/cases/$(CASE),-m node -k '$(CASE)') -rP,-m node)

e2e-clean: setup ## Remove what killed runs of the test clusters left behind, and say what
	@$(BIN)/python -m modelpool_cluster clean

rbac-audit: setup ## Hold the chart's roles against all that was asked in a run (LOGS=... replays kept audit logs): granted, used, unused, missing
	@$(if $(LOGS),,$(BIN)/python -m pytest -q -m cluster --cluster-logs=.cache/rbac-audit e2e/cases)
	@$(BIN)/python -m modelpool_cluster.rbac_audit modelpool charts/modelpool $(or $(LOGS),.cache/rbac-audit/audit.jsonl)

SECONDS ?= 120
fuzz: setup ## Feed the codecs and translators hostile input for SECONDS in all; what it finds stays as tests
	@$(BIN)/python -m modelpool_sidecar.tests.fuzzing $(SECONDS)

SEED ?= 1
hostile: setup ## Attack the running gateway in every way for SECONDS (240), beside an innocent caller (SEED, CASE=name, ENDLESS=1)
	@$(BIN)/python -m modelpool_hostile --seed $(SEED) $(if $(CASE),--case $(CASE)) $(if $(ENDLESS),--endless) \
	  $(if $(filter command,$(firstword $(origin SECONDS))),--seconds $(SECONDS))

ROUNDS ?= 20
start-order: setup ## Prove ROUNDS times that engines of one card start one after the other, whoever is killed (WITHOUT_LOCK=1: the control)
	@$(BIN)/python e2e/cases/start_order/start_order_rounds.py --rounds $(ROUNDS) $(if $(WITHOUT_LOCK),--without-lock)

bench: bench-gateway bench-replay bench-scale bench-real ## Measure everything that is published in half an hour; each part ends with lines of JSON

PEERS ?=
bench-gateway: setup ## Measure the gateway and its peers in one run (PEERS="interpreted nginx vllm-router", SECONDS, QUICK=1, DOCS=1)
	@$(BIN)/python -m modelpool_bench_gateway $(if $(PEERS),--peers "$(PEERS)") $(if $(QUICK),--quick) $(if $(DOCS),--docs) \
	  $(if $(filter command,$(firstword $(origin SECONDS))),--seconds $(SECONDS))

REQUESTS ?= 100000
soak: setup ## Ask REQUESTS through the gateway while 5 % of them abort their engine: none may be refused, nothing may be left (one JSON line)
	@$(BIN)/python -m modelpool_bench_gateway.soak --requests $(REQUESTS)

SLOW ?=
bench-guard: setup ## Hold the gateway's processor time per request and chunk to a bare relay's (SLOW=30: cost 30 % more, must fail)
	@$(BIN)/python -m modelpool_bench_gateway.guard $(if $(SLOW),--slow $(SLOW))

bench-replay: setup ## Replay the recorded pipeline through the gateway, time compressed (DOCS=1: renew the pictures in docs/images)
	@$(BIN)/python -m modelpool_bench_replay $(if $(DOCS),--pictures docs/images)

bench-scale: setup ## Measure what models, endpoints and streams cost the gateway, and simulate a thousand of them
	@$(BIN)/python -m modelpool_bench_scale

bench-real: setup ## Run the pipeline's mix on a real vLLM and a real Ollama on this CPU, where `make test-engines` put them
	@$(BIN)/python -m modelpool_bench_real

GPU_PYTHON ?= $(PYTHON)
POOLS ?= 500
bench-operator: setup ## Run POOLS pools of four models on a real control plane, and print what the operator costs (one JSON line)
	@$(BIN)/python -m modelpool_bench_operator --pools $(POOLS)

gpu-facts: ## Measure what the planner assumes of a card; needs an NVIDIA GPU and PyTorch in GPU_PYTHON, and says so without
	@$(GPU_PYTHON) bench/gpu_facts.py

lint: setup ## Check style, types and the layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir .cache/import-linter

format: setup ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: setup ## Renew requirements/*.lock from pyproject.toml
	@$(COMPILE) --all-extras --group dev requirements/build.in pyproject.toml -o requirements/dev.lock
	@for name in $(filter-out demo,$(LOCKS)); do \
	  $(COMPILE) --constraints requirements/dev.lock --extra $$name pyproject.toml -o requirements/$$name.lock; done
	@$(COMPILE) --constraints requirements/dev.lock requirements/clients.in -o requirements/clients.lock
	@for name in frameworks instructor litellm; do $(COMPILE) requirements/client-$$name.in -o requirements/client-$$name.lock; done
	@$(COMPILE) --constraints requirements/dev.lock --extra sidecar requirements/compile.in pyproject.toml -o requirements/compile.lock
	@$(COMPILE) --constraints requirements/dev.lock --extra demo requirements/build.in pyproject.toml -o requirements/demo.lock

clean: ## Remove what the targets made in this folder
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache dist

.PHONY: help setup demo test test-node test-rest test-gateway fuzz hostile start-order bench bench-gateway bench-guard soak bench-replay bench-scale bench-real bench-operator gpu-facts test-engines test-clients e2e e2e-clean rbac-audit images lint format lock clean
