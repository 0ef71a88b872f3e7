# The front door. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export SIZE ?= 135m
export SHARDS ?= 8
PYTHON ?= python3.11
A ?= HEAD
B ?= workspace
SUITE ?= benchmark/suites/house
COMPARED := data/answers data/requests.jsonl metrics report/compare \
	data/asked/house data/asked/bfcl

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

repro: .venv/ready ## Everything: data, training, benchmark; ends with the table
	dvc repro
	@python -m benchmark.reports.leaderboard data/breakdown.csv
	@echo "report: $(CURDIR)/report/index.html"

test: .venv/ready ## All tests
	python -m pytest -q

check: .venv/ready ## ruff, format, mypy --strict, shellcheck, names in step
	ruff check .
	ruff format --check .
	mypy
	shellcheck .ci/run slurm/launch/train slurm/launch/train.sbatch slurm/node/run slurm/node/health_check slurm/shards/synthesize slurm/shards/shard.sbatch
	python -m pytest -q tests/test_pipeline.py

smoke: .venv/ready ## The whole pipeline on the tiny model, in a temporary copy
	python -m tests.support.smoke

##@ Parts of it
train: .venv/ready ## Train one size: SIZE=135m (here), 7b, 14b, 72b (a cluster, to its metrics)
	@slurm/launch/train "$$SIZE"

estimate: .venv/ready ## Memory, hours and cost of a size, beside the note's: SIZE=7b, 14b, 72b
	@python -m slurm.sizing.estimate "$$SIZE"

synthesize: .venv/ready ## Large synthesis as an array of jobs: SHARDS=8
	@slurm/shards/synthesize "$$SHARDS"

preflight: .venv/ready ## One step of the longest pack on all GPUs of a size
	@slurm/launch/train "$$SIZE" preflight

submit-dry: .venv/ready ## Show what train would submit; Slurm tests it where it is
	@set -a; [ ! -e slurm/cluster.env ] || . slurm/cluster.env; python -m slurm.launch.dry_run "$$SIZE"

suite: .venv/ready ## Write the first version of the house suite and the episodes anew, from the grammar
	python -m benchmark.drafting.draft_house benchmark/suites/house
	python -m benchmark.drafting.draft_episodes benchmark/suites/episodes

templates: .venv/ready ## Let the chat model word new templates; review them before you commit
	python -m agent_tuning.synthesis.template_search data/with_negatives.jsonl data/replies.jsonl agent_tuning/prompts/templates

gold-check: .venv/ready ## Check BFCL's own golds as we check our calls
	python -m benchmark.sources.gold_check data/external/bfcl

bench: .venv/ready ## Time and memory of data, teachers, packing, training, answering, scoring, launching
	python -m tests.perf.bench_data
	python -m tests.perf.bench_render
	python -m tests.perf.bench_train
	python -m tests.perf.bench_teachers 2000
	python -m tests.perf.bench_score
	python -m tests.perf.bench_launch
	python -m tests.perf.bench_predict data/requests.jsonl models/tuned

readme: .venv/ready ## Write README's tables from dvc.yaml and the last benchmark
	python -m benchmark.reports.readme_tables README.md dvc.yaml data/breakdown.csv

compare: .venv/ready ## Two versions task by task: A=HEAD B=workspace, a commit, tag or experiment
	python -m benchmark.compare.compare_versions "$(A)" "$(B)" $(COMPARED)

gate: .venv/ready ## What params.yaml wants of a version before it goes out
	python -m benchmark.compare.gate $(COMPARED)

suite-check: .venv/ready ## Validate a suite; its baselines and what degenerate answers score: SUITE=...
	python -m benchmark.reports.suite_check $(SUITE)

show: .venv/ready ## Show a trajectory with its trained tokens in colour: ID=...
	python -m agent_tuning.tokens.inspect_labels data/mixed.jsonl data/base $(ID)

##@ People
draft: .venv/ready ## Candidates for the house suite, what it covers least first
	python -m benchmark.annotation.review.candidates benchmark/suites/house data/mixed.jsonl benchmark/candidates scratch/candidates-replies.jsonl

review: .venv/ready ## Check and correct the candidates in a browser
	python -m benchmark.annotation.review.serve benchmark/candidates scratch/review.db

merge: .venv/ready ## Reviewed candidates into a new version of the house suite
	python -m benchmark.annotation.review.merge benchmark/suites/house benchmark/candidates benchmark/candidates/reviews.jsonl data/mixed.jsonl

corrections: .venv/ready ## Corrected candidates that are in no suite, as training trajectories
	python -m benchmark.annotation.review.export_corrections benchmark/suites/house benchmark/candidates benchmark/candidates/reviews.jsonl data/corrections.jsonl

rate: .venv/ready ## Rate answers blind, in a browser: VERSION="base tuned"
	python -m benchmark.annotation.rating.serve data/asked/house benchmark/ratings scratch/rate.db metrics/human.json $(VERSION:%=data/answers/%.jsonl)

judge: .venv/ready ## Have the same answers judged by a chat model: VERSION="base tuned", DRY=1 for the cost
	python -m benchmark.annotation.judge.rate_answers data/asked/house benchmark/ratings benchmark/ratings/judge_replies.jsonl metrics/human.json $(VERSION:%=data/answers/%.jsonl) $(if $(DRY),--dry-run)

judge-drafts: .venv/ready ## Have the candidates judged: review shows the worst first; DRY=1 for the cost
	python -m benchmark.annotation.judge.rate_drafts benchmark/candidates benchmark/candidates/judge_replies.jsonl $(if $(DRY),--dry-run)

##@ Environment
setup: .venv/ready ## Make .venv from requirements.lock

.venv/ready: requirements.lock
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q -c requirements.lock torch setuptools wheel
	DS_BUILD_OPS=0 .venv/bin/pip install -q --no-build-isolation -r requirements.lock
	@touch $@

lock: ## Resolve pyproject.toml anew into requirements.lock
	rm -rf .venv/lock && $(PYTHON) -m venv .venv/lock
	.venv/lock/bin/pip install -q torch==2.13.0 setuptools wheel
	DS_BUILD_OPS=0 .venv/lock/bin/pip install -q --no-build-isolation $$($(PYTHON) -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies']['dev'])")
	.venv/lock/bin/pip freeze --all --exclude pip | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv/lock

clean: ## Remove caches and checkpoints; data, models and .venv stay
	rm -rf scratch .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help repro test check smoke train estimate synthesize preflight submit-dry suite templates \
	gold-check bench readme compare gate suite-check draft review merge corrections rate judge \
	judge-drafts show setup lock clean
