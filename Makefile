# The front door. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export SIZE ?= 135m
export SHARDS ?= 8
PYTHON ?= python3.11
A ?= HEAD
B ?= workspace
SUITE ?= benchmark/suites/house
TO ?= data/written/mine
# The recipe that params.yaml chooses.
RECIPE := $(shell sed -n 's/^recipe: *//p' params.yaml)
# The suites that a recipe is compared and released by.
SUITES_specialist := shop shop_drafted
SUITES_general := house bfcl
COMPARED := data/$(RECIPE)/answers data/$(RECIPE)/requests.jsonl metrics/$(RECIPE) report/compare \
	$(SUITES_$(RECIPE):%=data/$(RECIPE)/asked/%)

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
export DVC_NO_ANALYTICS := 1
# DVC's default, /var/tmp/dvc, is writable by every user of the machine and holds pickles.
export DVC_SITE_CACHE_DIR := $(CURDIR)/.dvc/tmp/site

##@ Start here
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	/^[a-z0-9_-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

repro: .venv/ready ## Run everything: data, training, benchmark; end with the table
	dvc repro
	@python -m benchmark.reports.leaderboard data/$(RECIPE)/breakdown.csv
	@echo "report: $(CURDIR)/report/$(RECIPE)/index.html"

recipe: ## Choose what the pipeline makes, in params.yaml: NAME=specialist or general
	@sed '1,/^recipes:$$/d' params.yaml | grep -Fxq '  $(NAME):' || { echo "NAME=$(NAME): expected specialist or general" >&2; exit 1; }
	sed -i 's/^recipe: .*/recipe: $(NAME)/' params.yaml

test: .venv/ready ## Run all tests
	python -m pytest -q

check: .venv/ready ## Run ruff, mypy --strict and shellcheck; compare the names in dvc.yaml and params.yaml
	ruff check .
	ruff format --check .
	mypy
	shellcheck .ci/run slurm/launch/train slurm/launch/train.sbatch slurm/node/run slurm/node/health_check slurm/shards/synthesize slurm/shards/shard.sbatch
	python -m pytest -q tests/test_pipeline.py

smoke: .venv/ready ## Run the whole pipeline of every recipe on the tiny model, in a temporary copy
	python -m tests.support.smoke

##@ Data and training
train: .venv/ready ## Train one size: SIZE=135m on this machine; 7b, 14b, 72b on a cluster, including their metrics
	@slurm/launch/train "$$SIZE"

estimate: .venv/ready ## Print memory, hours and cost of a size, beside the reference note's: SIZE=7b, 14b, 72b
	@python -m slurm.sizing.estimate "$$SIZE"

synthesize: .venv/ready ## Ask the chat model for training data from an array of Slurm jobs: SHARDS=8
	@slurm/shards/synthesize "$$SHARDS"

preflight: .venv/ready ## Train one step of the longest pack on all GPUs of a size: SIZE=7b
	@slurm/launch/train "$$SIZE" preflight

submit-dry: .venv/ready ## Print what train would submit; if Slurm is installed, test that it accepts the job
	@set -a; [ ! -e slurm/cluster.env ] || . slurm/cluster.env; python -m slurm.launch.dry_run "$$SIZE"

templates: .venv/ready ## Let the chat model write new templates; review them before you commit
	python -m agent_tuning.synthesis.template_search data/$(RECIPE)/with_negatives.jsonl data/replies.jsonl agent_tuning/prompts/templates

wordings: .venv/ready ## Let the chat model word examples for your tools: DOMAINS="shop cart", TO=FOLDER or FILE.jsonl, DRY=1 for the cost
	python -m agent_tuning.synthesis.wordings data/catalogue data/protected.jsonl scratch/wordings/replies.jsonl $(TO) $(DOMAINS) $(if $(DRY),--dry-run)

show: .venv/ready ## Print a trajectory with its trained tokens in colour: ID=...
	python -m agent_tuning.tokens.inspect_labels data/$(RECIPE)/mixed.jsonl data/base $(ID)

##@ Benchmark
suite: .venv/ready ## Make our suites again, from the grammar and from what people wrote; overwrites them
	python -m benchmark.drafting.draft_house benchmark/suites/house
	python -m benchmark.drafting.draft_shop benchmark/suites/shop_drafted
	python -m benchmark.drafting.written_suite benchmark/suites/shop/written benchmark/suites/shop
	python -m benchmark.drafting.draft_episodes benchmark/suites/episodes

gold-check: .venv/ready ## Check BFCL's published golds with the checks that training calls must pass
	python -m benchmark.sources.gold_check data/external/bfcl

compare: .venv/ready ## Compare two versions task by task: A=HEAD B=workspace (a commit, tag or experiment)
	python -m benchmark.compare.compare_versions "$(A)" "$(B)" $(COMPARED)

gate: .venv/ready ## Check this version against the limits in params.yaml: gate
	python -m benchmark.compare.gate $(COMPARED)

suite-check: .venv/ready ## Validate a suite; print its baselines and what degenerate answers score: SUITE=...
	python -m benchmark.reports.suite_check $(SUITE)

##@ People
draft: .venv/ready ## Draft candidates for what the house suite covers least
	python -m benchmark.annotation.review.candidates benchmark/suites/house data/$(RECIPE)/mixed.jsonl benchmark/candidates scratch/candidates-replies.jsonl

review: .venv/ready ## Review and correct the candidates in a browser
	python -m benchmark.annotation.review.serve benchmark/candidates scratch/review.db

merge: .venv/ready ## Merge the reviewed candidates into a new version of the house suite
	python -m benchmark.annotation.review.merge benchmark/suites/house benchmark/candidates benchmark/candidates/reviews.jsonl data/$(RECIPE)/mixed.jsonl

corrections: .venv/ready ## Export corrected candidates that are in no suite as training trajectories
	python -m benchmark.annotation.review.export_corrections benchmark/suites/house benchmark/candidates benchmark/candidates/reviews.jsonl data/corrections.jsonl

rate: .venv/ready ## Rate answers blind, in a browser: VERSION="base tuned"
	python -m benchmark.annotation.rating.serve data/$(RECIPE)/asked/$(firstword $(SUITES_$(RECIPE))) benchmark/ratings scratch/rate.db metrics/$(RECIPE)/human.json $(VERSION:%=data/$(RECIPE)/answers/%.jsonl)

judge: .venv/ready ## Let a chat model rate the same answers: VERSION="base tuned", DRY=1 for the cost
	python -m benchmark.annotation.judge.rate_answers data/$(RECIPE)/asked/$(firstword $(SUITES_$(RECIPE))) benchmark/ratings benchmark/ratings/judge_replies.jsonl metrics/$(RECIPE)/human.json $(VERSION:%=data/$(RECIPE)/answers/%.jsonl) $(if $(DRY),--dry-run)

judge-drafts: .venv/ready ## Let a chat model rate the candidates; review then shows the worst first; DRY=1 for the cost
	python -m benchmark.annotation.judge.rate_drafts benchmark/candidates benchmark/candidates/judge_replies.jsonl $(if $(DRY),--dry-run)

##@ This repository
setup: .venv/ready ## Create .venv from requirements.lock

.venv/ready: requirements.lock
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q -c requirements.lock torch setuptools wheel
	DS_BUILD_OPS=0 .venv/bin/pip install -q --no-build-isolation -r requirements.lock
	@touch $@

lock: ## Resolve the ranges of pyproject.toml into the pins of requirements.lock
	rm -rf .venv/lock && $(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install -q "torch>=2.13,<3" setuptools wheel
	DS_BUILD_OPS=0 .venv/lock/bin/pip install -q --no-build-isolation $$($(PYTHON) -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *(name for extra, names in p['optional-dependencies'].items() if extra != 'gpu' for name in names))")
	.venv/lock/bin/pip freeze --all --exclude pip | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv/lock

readme: .venv/ready ## Write the tables of README and docs/architecture.md from dvc.yaml and the last run
	python -m benchmark.reports.readme_tables README.md docs/architecture.md dvc.yaml data/$(RECIPE)/breakdown.csv

bench: .venv/ready ## Measure time and memory of every part; docs/performance.md has the results
	python -m tests.perf.bench_data
	python -m tests.perf.bench_render
	python -m tests.perf.bench_train
	python -m tests.perf.bench_teachers 2000
	python -m tests.perf.bench_score
	python -m tests.perf.bench_launch
	python -m tests.perf.bench_predict data/$(RECIPE)/requests.jsonl models/$(RECIPE)

clean: ## Remove caches and checkpoints; keep data, models, .venv and the replies of `make wordings`
	[ ! -d scratch ] || find scratch -mindepth 1 -maxdepth 1 ! -name wordings -exec rm -rf {} +
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help recipe repro test check smoke train estimate synthesize preflight submit-dry suite templates \
	wordings gold-check bench readme compare gate suite-check draft review merge corrections rate judge \
	judge-drafts show setup lock clean
