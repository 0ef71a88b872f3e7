# The front door. `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
# What you set behind `make`. Of the environment only THREADS and PYTHON count (`THREADS=8 make repro`): a
# system may export any of the others for itself, as HOST, NAME or PORT.
GIVEN := SIZE SHARDS PYTHON A B SUITE TO ID NAME DOMAINS VERSION DRY THREADS MODEL HOST PORT ENGINE URL KEEP SHOW GUIDED FORMAT \
	SLICE CATEGORIES REPO MCP MCP_PORT FROM WORDED OF PARTIAL SINCE EXAMPLES SEED GO SPEED SEND PUBLIC
$(foreach name,$(filter-out THREADS PYTHON,$(GIVEN)),$(if $(filter environment,$(origin $(name))),$(eval undefine $(name))))
# What it is, is its text: make 4.4 would expand it for every `$(shell)` below, and run what it says.
$(foreach name,$(GIVEN),$(if $(findstring command,$(origin $(name))),$(eval override $(name) := $$(value $(name)))))
SIZE ?= 135m
SHARDS ?= 8
A ?= HEAD
B ?= workspace
SINCE ?= HEAD
SUITE ?= benchmark/suites/house
TO ?= data/written/mine
HOST ?= 127.0.0.1
PORT ?= 8000
EXAMPLES ?= 30
SEED ?= 0
ENGINE ?= transformers
FORMAT ?= gguf
SLICE ?= benchmark/official_bfcl/slice.json
# What people review: the candidates for the house suite, or a suite such as benchmark/suites/shop.
OF ?= benchmark/candidates
REVIEWS = $$([ "$$OF" = benchmark/candidates ] && echo "$$OF" || echo "benchmark/reviews/$$(basename "$$OF")")/reviews.jsonl
# The recipe that params.yaml chooses, and all that it has; whatever editor saved the file.
CHOSEN := $(shell sed -En "s/^recipe: *[\"']?([A-Za-z0-9_-]+)[\"']?[[:space:]]*(\#.*)?$$/\1/p" params.yaml 2> /dev/null)
LIST_RECIPES = sed -En '1,/^recipes:/d; /^[^[:space:]\#]/q; s/^  ([A-Za-z0-9_-]+):.*/\1/p' params.yaml
RECIPES := $(shell $(LIST_RECIPES) 2> /dev/null)
# What needs a recipe stops before it starts if none is chosen.
RECIPE = $(or $(filter $(CHOSEN),$(RECIPES)),$(error params.yaml: $(if $(RECIPES),recipe: $(or $(CHOSEN),none): expected one of $(RECIPES),expected a file with the section `recipes`)))
ifeq ($(origin MODEL),undefined)
MODEL := models/$(CHOSEN)
endif
ifeq ($(origin WORDED),undefined)
# Freely worded tasks for your own tools, where there are any.
WORDED := $(wildcard benchmark/suites/$(CHOSEN)/written)
endif
# It reaches a recipe's shell as the text of its environment, never as code of the shell or of make:
# recipes write "$$ID", not $(ID).
$(foreach name,$(GIVEN),$(eval override export $(name) := $$(value $(name))))
# Folders have one name here, also where a shell has completed it to `benchmark/candidates/`.
override OF := $(patsubst ./%,%,$(OF:%/=%))
BFCL = export OPENAI_BASE_URL="$${URL:-http://127.0.0.1:$$PORT/v1}"; NAME="$${NAME:-$$(python -m benchmark.model_folder "$$MODEL")}"; .venv-bfcl/bin/python -m benchmark.official_bfcl
# The suites that a recipe is compared and released by; asked for where they are needed.
SUITES = $(shell PATH="$(PATH)" python -m benchmark.reports.reported_suites)
COMPARED = data/$(RECIPE)/answers data/$(RECIPE)/requests.jsonl metrics/$(RECIPE) report/compare \
	$(SUITES:%=data/$(RECIPE)/asked/%)
DRY_RUN = $(if $(DRY),--dry-run)
# The words of VERSION as files of answers.
RATED = read -ra rated <<< "$$VERSION"; rated=("$${rated[@]/\#/data/$(RECIPE)/answers/}"); rated=("$${rated[@]/%/.jsonl}")

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false
export DVC_NO_ANALYTICS := 1
# DVC's default, /var/tmp/dvc, is writable by every user of the machine and holds pickles.
# DVC would make this one as open, whatever the umask, so it is made before.
export DVC_SITE_CACHE_DIR ?= $(CURDIR)/.dvc/tmp/site
# SQLite and DVC lock files in it and beside it; on a file system without locks they fail with other words.
PRIVATE_SITE := install -d -m 700 "$$DVC_SITE_CACHE_DIR" || exit 1; [ -w "$$DVC_SITE_CACHE_DIR" ] || { echo "error: $$DVC_SITE_CACHE_DIR: belongs to another user; set DVC_SITE_CACHE_DIR to a folder of your own" >&2; exit 1; }; flock "$$DVC_SITE_CACHE_DIR" true 2> /dev/null || { echo "error: $$DVC_SITE_CACHE_DIR: this file system has no locks; docs/cluster.md says what to set" >&2; exit 1; }

##@ Start here
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	/^[a-z0-9_-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

repro: .venv/ready ## Run everything: data, training, benchmark; end with the table: THREADS=8 (written to params.yaml)
	@$(PRIVATE_SITE)
	@[ -z "$$THREADS" ] || $(MAKE) --no-print-directory -o .venv/ready threads
	@# `dvc repro` locks also what is up to date, and a `make train` that waits for its job reads some of it.
	dvc status -q dvc.yaml || dvc repro
	@python -m benchmark.reports.leaderboard data/$(RECIPE)/breakdown.csv metrics/$(RECIPE)/suites
	@$(MAKE) --no-print-directory -o .venv/ready report

recipe: $(if $(FROM),.venv/ready) ## Choose what the pipeline makes: NAME=specialist; or a new one: NAME=mine FROM=specialist DOMAINS="mine"
	$(if $(FROM),@read -ra domains <<< "$$DOMAINS"; python -m agent_tuning.synthesis.new_recipe params.yaml data/catalogue "$$NAME" "$$FROM" "$${domains[@]}")
	@recipes=$$($(LIST_RECIPES)) && { { [[ "$$NAME" =~ ^[A-Za-z0-9_-]+$$ ]] && grep -Fxq "$$NAME" <<< "$$recipes"; } || { printf 'NAME=%q: expected one of:' "$$NAME" >&2; printf ' %s' $$recipes >&2; echo >&2; exit 1; }; }
	@grep -q '^recipe:' params.yaml || { echo "params.yaml: expected a line such as 'recipe: $$NAME'" >&2; exit 1; }
	sed -i "s/^recipe:.*/recipe: $$NAME/" params.yaml

threads: ## Write the number of CPU threads of every stage to params.yaml: THREADS=8
	@[[ "$$THREADS" =~ ^[1-9][0-9]*$$ ]] || { printf 'THREADS=%q: ' "$$THREADS" >&2; echo "expected a number of CPU threads, such as 8" >&2; exit 1; }
	sed -i "s/^  threads: .*/  threads: $$THREADS/" params.yaml

test: .venv/ready ## Run all tests
	@# A test that runs make must not inherit the variables of this one.
	@env $(GIVEN:%=-u %) -u DVC_SITE_CACHE_DIR -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
	    python -m pytest -q -n 2 --dist loadfile --durations 25

check: .venv/ready ## Run ruff, mypy --strict and shellcheck; compare the names in dvc.yaml and params.yaml
	ruff check .
	ruff format --check .
	mypy
	shellcheck .ci/run environment/find_python environment/create slurm/launch/train slurm/launch/train.sbatch slurm/node/run slurm/node/health_check slurm/shards/synthesize slurm/shards/shard.sbatch
	python -m pytest -q tests/test_pipeline.py

check-lock: .venv/ready ## Do code, params.yaml and dvc.lock agree? It needs no data and runs no stage
	@$(PRIVATE_SITE)
	@plan=$$(dvc repro --allow-missing --dry 2>&1) && ! grep -q "Running stage" <<< "$$plan" || { echo "$$plan"; \
	    echo "error: dvc.lock is older than the code or the parameters; run 'make repro' and commit it" >&2; exit 1; }

same-bytes: .venv/ready ## Accept an edit of the code in dvc.lock, if no byte differs from SINCE=COMMIT (about 15 minutes)
	python -m tests.support.same_bytes "$$SINCE"

smoke: .venv/ready ## Run the whole pipeline of every recipe on the tiny model, in a temporary copy
	python -m tests.support.smoke

##@ Data and training
train: .venv/ready ## Train one size, including its metrics: SIZE=135m here; 350m, 500m on one GPU; 7b, 14b, 72b on a cluster
	@$(PRIVATE_SITE)
	@slurm/launch/train "$$SIZE"

estimate: .venv/ready ## Print memory, hours and cost of a size, beside the reference note's: SIZE=350m, 500m, 7b, 14b, 72b
	@python -m slurm.sizing.estimate "$$SIZE"

synthesize: .venv/ready ## Ask the chat model for training data from an array of Slurm jobs: SHARDS=8
	@slurm/shards/synthesize "$$SHARDS"

preflight: .venv/ready ## Train one step of the longest pack on all GPUs of a size: SIZE=7b
	@$(PRIVATE_SITE)
	@slurm/launch/train "$$SIZE" preflight

submit-dry: .venv/ready ## Print what train would submit; if Slurm is installed, test that it accepts the job
	@set -a; [ ! -e slurm/cluster.env ] || . slurm/cluster.env; python -m slurm.launch.dry_run "$$SIZE"

templates: .venv/ready ## Let the chat model write new templates; review them before you commit
	python -m agent_tuning.synthesis.template_search data/$(RECIPE)/with_negatives.jsonl data/replies.jsonl agent_tuning/prompts/templates

wordings: .venv/ready ## Let the chat model word examples for your tools: DOMAINS="shop cart", TO=FOLDER or FILE.jsonl, DRY=1 for the cost
	read -ra domains <<< "$$DOMAINS"; python -m agent_tuning.synthesis.wordings data/catalogue data/protected.jsonl scratch/wordings/replies.jsonl "$$TO" "$${domains[@]}" $(DRY_RUN)

show: .venv/ready ## Print what an id is: a trajectory with its trained tokens in colour, a group, reject, task, answer, episode: ID=...
	@python -m benchmark.pages.show data/$(RECIPE) data/base $${ID:+"$$ID"}

browse: .venv/ready ## Write a page of random training examples, trained tokens in colour, and all rejects: EXAMPLES=30 SEED=0
	@python -m benchmark.pages.browse data/$(RECIPE) data/base report/$(RECIPE)/browse.html --examples "$$EXAMPLES" --seed "$$SEED"

##@ Benchmark
suite: .venv/ready ## Make our suites again, from the grammar and from what people wrote; overwrites them
	python -m benchmark.drafting.draft_house benchmark/suites/house
	python -m benchmark.drafting.draft_specialist benchmark/suites/shop_drafted
	python -m benchmark.drafting.written_suite benchmark/suites/shop/written benchmark/suites/shop
	python -m benchmark.drafting.draft_episodes benchmark/suites/episodes

own-suite: .venv/ready ## Make the suites of the chosen recipe: from the grammar, and from WORDED=FOLDER or FILE.jsonl
	python -m benchmark.drafting.own_suite benchmark/suites $(if $(WORDED),"$$WORDED")

gold-check: .venv/ready ## Check BFCL's published golds with the checks that training calls must pass
	python -m benchmark.sources.gold_check data/external/bfcl

bfcl: .venv-bfcl/ready ## Official BFCL score of a served model, by bfcl-eval's own checker: MODEL=... URL=... SLICE=all CATEGORIES="..."
	@read -ra categories <<< "$$CATEGORIES"; $(BFCL).ask "$$MODEL" "$$NAME" "$$SLICE" "$${categories[@]}"
	@$(BFCL).score "$$MODEL" "$$NAME" "$$SLICE" "metrics/official_bfcl/$$NAME.json"

report: .venv/ready ## Write the page of the last run, from which to decide, and the page of all its answers
	@python -m benchmark.reports.write_report data/$(RECIPE) metrics/$(RECIPE) data/base report/$(RECIPE)
	@echo "report: $(CURDIR)/report/$(RECIPE)/index.html"

compare: .venv/ready ## Compare two versions task by task, with a page of both answers: A=HEAD B=workspace (a commit, tag or experiment)
	python -m benchmark.compare.compare_versions "$$A" "$$B" $(COMPARED) --base data/base

outcomes: .venv/ready ## Keep what this version got right beside its metrics, for git: a later clone compares without its answers
	python -m benchmark.compare.release_outcomes data/$(RECIPE)/answers data/$(RECIPE)/requests.jsonl metrics/$(RECIPE) $(SUITES:%=data/$(RECIPE)/asked/%)

gate: .venv/ready ## Check this version against the limits in params.yaml: gate
	python -m benchmark.compare.gate data/$(RECIPE)/differences.csv $(COMPARED)

ablations: .venv/ready ## Print what training without each ingredient of the recipe would take; GO=1 runs it and writes docs/ablations.md: SPEED=160 (tokens/s)
	@$(if $(GO),$(PRIVATE_SITE);) python -m benchmark.ablations.ablate data/$(RECIPE) metrics/$(RECIPE) docs/ablations.md $(if $(GO),--go) $${SPEED:+--speed "$$SPEED"}

suite-check: .venv/ready ## Validate a suite; print its baselines and what degenerate answers score: SUITE=...
	python -m benchmark.reports.suite_check "$$SUITE"

##@ Use the model
serve: .venv/ready ## Serve a model to OpenAI's clients: MODEL=models/specialist PORT=8000 HOST=127.0.0.1 ENGINE=transformers, vllm or llama.cpp
	@python -m benchmark.serving.serve "$$MODEL" --host "$$HOST" --port "$$PORT" --engine "$$ENGINE"

chat: .venv/ready ## Talk to a model in the terminal, with simulators behind its tools, or MCP="URL or command": SHOW=1 for its tokens, KEEP=FILE, DOMAINS="shop cart"
	@read -ra domains <<< "$$DOMAINS"; python -m benchmark.serving.chat "$$MODEL" data/catalogue "$${domains[@]}" \
		$(if $(SHOW),--show) $(if $(KEEP),--keep "$$KEEP")

export: .venv/ready .venv-gguf/ready ## Write a model as one file for llama.cpp, exports/NAME.gguf: FORMAT=gguf MODEL=...
	@python -m benchmark.serving.export_gguf --model "$$MODEL" --format "$$FORMAT"

transcripts: .venv/ready ## Print conversations with a served model through OpenAI's client: starts a server, or URL=...; DOMAINS="shop cart"
	@read -ra domains <<< "$$DOMAINS"; python -m benchmark.serving.transcripts "$$MODEL" data/catalogue "$${domains[@]}"

conformance: .venv/ready ## Check that a server decides as predict does: starts one, or URL=... ENGINE=... VERSION=... GUIDED=1
	@name=$$(python -m benchmark.model_folder "$$MODEL") && \
		python -m benchmark.serving.conformance "$$MODEL" benchmark/suites "metrics/$$name/conformance.csv" --engine "$$ENGINE" \
		$(if $(URL),--url "$$URL") $(if $(VERSION),--version "$$VERSION") $(if $(GUIDED),--guided); status=$$?; \
		python -m benchmark.reports.conformance_table metrics docs/serving.md && exit $$status

##@ Share
mcp: .venv/ready ## Serve the catalogue's simulators to MCP clients, over stdin or at a port: DOMAINS="shop cart" MCP_PORT=8001
	@read -ra domains <<< "$$DOMAINS"; python -m agent_tuning.mcp_tools.server data/catalogue "$${domains[@]}" $(if $(MCP_PORT),--port "$$MCP_PORT")

push: .venv/ready ## Upload a model and its card to a hub: REPO=owner/name; prints only, SEND=1 sends; PUBLIC=1
	@python -m benchmark.reports.conformance_table metrics scratch/card.md --model "$$MODEL"
	@python -m benchmark.reports.imported_sources metrics scratch/card.md --model "$$MODEL"
	@env -u HF_HUB_OFFLINE python -m agent_tuning.hub.push "$$MODEL" "$$REPO" --card scratch/card.md $(if $(SEND),--send) $(if $(PUBLIC),--public)

##@ People
draft: .venv/ready ## Draft candidates for what the house suite covers least
	python -m benchmark.annotation.review.candidates benchmark/suites/house data/$(RECIPE)/mixed.jsonl benchmark/candidates scratch/candidates-replies.jsonl

review: .venv/ready ## Review and correct the candidates, or any suite (OF=benchmark/suites/shop), in a browser
	python -m benchmark.annotation.review.serve "$$OF" "$(REVIEWS)" "scratch/review-$$(basename "$$OF").db"

merge: .venv/ready ## Merge what was reviewed into the house suite, or corrected golds into an overlay of OF=SUITE; PARTIAL=1: what is ready
ifeq ($(OF),benchmark/candidates)
	python -m benchmark.annotation.review.merge benchmark/suites/house "$$OF" "$(REVIEWS)" data/$(RECIPE)/mixed.jsonl data/written $(if $(PARTIAL),--partial)
else
	python -m benchmark.annotation.review.correct_suite "$$OF" "$(REVIEWS)" $(if $(PARTIAL),--partial)
endif

corrections: .venv/ready ## Export corrected candidates that are in no suite as written examples, to train on: TO=FOLDER or FILE.jsonl
	python -m benchmark.annotation.review.export_corrections benchmark/suites/house benchmark/candidates benchmark/candidates/reviews.jsonl "$$TO"

rate: .venv/ready ## Rate answers blind, in a browser: VERSION="base tuned"
	$(RATED); python -m benchmark.annotation.rating.serve data/$(RECIPE)/asked/$(firstword $(SUITES)) benchmark/ratings scratch/rate.db metrics/$(RECIPE)/human.json "$${rated[@]}"

judge: .venv/ready ## Let a chat model rate the same answers: VERSION="base tuned", DRY=1 for the cost
	$(RATED); python -m benchmark.annotation.judge.rate_answers data/$(RECIPE)/asked/$(firstword $(SUITES)) benchmark/ratings benchmark/ratings/judge_replies.jsonl metrics/$(RECIPE)/human.json "$${rated[@]}" $(DRY_RUN)

judge-drafts: .venv/ready ## Let a chat model rate the candidates; review then shows the worst first; DRY=1 for the cost
	python -m benchmark.annotation.judge.rate_drafts benchmark/candidates benchmark/candidates/judge_replies.jsonl $(DRY_RUN)

##@ This repository
setup: .venv/ready ## Create .venv from requirements.lock

.venv/ready: requirements.lock
	@environment/create

# llama.cpp and its converter have an environment of their own.
.venv-gguf/ready: benchmark/serving/gguf-requirements.lock
	@rm -rf .venv-gguf; python=$$(environment/find_python 3.11 3.12 3.13) && "$$python" -m venv .venv-gguf
	.venv-gguf/bin/pip install -q --no-deps -r benchmark/serving/gguf-requirements.lock
	@touch $@

# An environment of its own: bfcl-eval pins numpy 1.26 and others that ours does not have.
.venv-bfcl/ready: benchmark/official_bfcl/requirements.lock
	@# The packages of bfcl-eval are built for these two.
	@rm -rf .venv-bfcl; python=$$(environment/find_python 3.11 3.12) && "$$python" -m venv .venv-bfcl
	.venv-bfcl/bin/pip install -q --no-deps -r benchmark/official_bfcl/requirements.lock
	@touch $@

lock: ## Resolve the ranges of pyproject.toml into the pins of requirements.lock
	@rm -rf .venv/lock; python=$$(environment/find_python 3.11 3.12 3.13) && "$$python" -m venv .venv/lock
	.venv/lock/bin/pip install -q "torch>=2.13,<3" setuptools wheel
	DS_BUILD_OPS=0 .venv/lock/bin/pip install -q --no-build-isolation $$(.venv/lock/bin/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *(name for extra, names in p['optional-dependencies'].items() if extra != 'gpu' for name in names))")
	.venv/lock/bin/pip freeze --all --exclude pip | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv/lock

readme: .venv/ready ## Write the tables of README and docs/architecture.md from dvc.yaml and the last run
	python -m benchmark.reports.readme_tables README.md docs/architecture.md dvc.yaml data/$(RECIPE)/breakdown.csv metrics/$(RECIPE)/suites
	python -m benchmark.reports.official_bfcl_table metrics/official_bfcl docs/bfcl.md
	python -m benchmark.reports.conformance_table metrics docs/serving.md

bench: .venv/ready ## Measure time and memory of every part; docs/performance.md has the results
	python -m tests.perf.bench_data
	python -m tests.perf.bench_render
	python -m tests.perf.bench_train
	python -m tests.perf.bench_teachers 2000
	python -m tests.perf.bench_score
	python -m tests.perf.bench_launch
	python -m tests.perf.bench_load_save
	python -m tests.perf.bench_three_sizes
	python -m tests.perf.bench_predict data/$(RECIPE)/requests.jsonl models/$(RECIPE)

clean: ## Remove caches and checkpoints; keep data, models, .venv and the replies of `make wordings` and `make bfcl`
	[ ! -d scratch ] || find scratch -mindepth 1 -maxdepth 1 ! -name wordings ! -name bfcl -exec rm -rf {} +
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis

.PHONY: help recipe repro threads test check check-lock same-bytes smoke ablations train estimate synthesize preflight submit-dry suite own-suite templates browse \
	wordings gold-check bench readme compare report outcomes gate suite-check draft review merge corrections rate judge \
	judge-drafts show setup lock clean serve chat transcripts conformance export bfcl mcp push
