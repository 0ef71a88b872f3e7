"""A recipe's folders as the pipeline leaves them, with answers that are as good as a test wants.

`python -m tests.support.report_data FOLDER` writes three versions there, each with its report, for
somebody to look at: a model at the level of chance, a specialist, and a specialist that got worse.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from random import Random

import yaml

from agent_tuning.files import csv_records, jsonl
from agent_tuning.model import tiny_model
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import NATIVE, Assistant, Call
from agent_tuning.synthesis.coverage import CoverageRow
from agent_tuning.tokens.chat_template import ChatTokenizer
from agent_tuning.training.train_log import TrainStep
from agent_tuning.training.validation import ValidationRow
from benchmark.engines.answer import Answer
from benchmark.reports import write_report
from benchmark.tasks import suites
from benchmark.tasks.requests import RequestsConfig, build_requests, choose_prompts
from benchmark.tasks.suites import Suite, Task
from stages import score
from tests.support import general_params

ROOT = general_params.ROOT
RECIPE = "specialist"
DATA, METRICS = Path("data", RECIPE), Path("metrics", RECIPE)
SUITES = {"shop": 1000, "shop_drafted": 10}  # and how many of their prompts are asked
# The share of tasks that a model answers right.
CHANCE = {"base": 0.08, "base_two_shot": 0.15, "tuned": 0.25}
SPECIALIST = CHANCE | {"tuned": 0.92}
WORSE = CHANCE | {"tuned": 0.82}
HOSTILE = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "<!--<script>\u202eabc\x1b[31m"
)


def write_version(
    quality: Mapping[str, float],
    against: str = "",
    answers: Mapping[str, str] | None = None,
) -> None:
    """Everything that `report` reads, in this folder.

    `quality`: the share of right answers of each model. `answers`: those of the tuned model to
    some tasks, as texts.
    """
    write_params(against)
    loaded = [read_suite(name) for name in SUITES]
    for suite in loaded:
        suites.write(DATA / "asked" / suite.name, suite)
    for model, share in quality.items():
        written = [
            Answer(task.id, write_answer(suite, task, model, share))
            for suite in loaded
            for task in suite.tasks
        ]
        if model == "tuned":
            given = answers or {}
            written = [Answer(a.task, given.get(a.task, a.text)) for a in written]
        jsonl.write(DATA / "answers" / f"{model}.jsonl", sorted(written, key=lambda a: a.task))
    write_base(Path("data/base"))
    chat = ChatTokenizer(Path("data/base/tokenizer.json"))
    jsonl.write(
        DATA / "requests.jsonl", (g for suite in loaded for g in build_requests(suite, chat))
    )
    write_other_results()
    run_score()


def run_score() -> None:
    tables = (f"{name}.csv" for name in ("breakdown", "differences", "sweep"))
    paths = (DATA / name for name in ("asked", "answers", "scores.jsonl", *tables))
    asked, answers, *written = paths
    score.main(asked, answers, METRICS, *written)


def run_report() -> Path:
    """The folder of the report."""
    folder = Path("report", RECIPE)
    write_report.main(DATA, METRICS, Path("data/base"), folder)
    return folder


def read_suite(name: str) -> Suite:
    suite = suites.read(ROOT / "benchmark/suites" / name)
    prompts = dict(sorted(suite.prompts.items())[: SUITES[name]])
    asked = tuple(task for task in suite.tasks if task.prompt in prompts)
    suite = replace(suite, prompts=prompts, tasks=asked)
    return choose_prompts(suite, RequestsConfig({}, native=True, instructions={}), {})


def write_answer(suite: Suite, task: Task, model: str, share: float) -> str:
    """The gold, or something else that a model might say. The same task falls first as it falls."""
    write = REPLY_FORMATS[NATIVE].write
    rng = Random(f"{model}:{task.id}")
    is_right, other = Random(task.id).random() < share, rng.choice(suite.prompt(task).tools)
    gold = task.golds[0]
    calls = tuple(
        Call(call.name, {k: v[0] for k, v in call.arguments.items()}) for call in gold.calls
    )
    no_call = write(Assistant("no_call", text="I have no tool for that."))
    ask = write(Assistant("ask", text="Which one do you mean?"))
    if is_right and gold.decision == "call":
        return write(Assistant("call", gold.thought, calls))
    if is_right:
        return ask if gold.decision == "ask" else no_call
    wrong = {
        "no_call": no_call,
        "ask": ask,
        "call": write(Assistant("call", "", (Call(other.name),))),
    }
    wrong.pop(gold.decision, None)
    if model == "base":
        wrong["malformed"] = "<tool_call>\n{"
    return rng.choice(list(wrong.values()))


def write_params(against: str) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["recipe"] = RECIPE
    params["scoring"]["bootstrap"] = params["compare"]["resamples"] = 200
    params["gate"]["against"] = against
    Path("params.yaml").write_text(yaml.safe_dump(params, allow_unicode=True))


def write_base(folder: Path) -> None:
    if not folder.exists():
        tiny_model.build_tokenizer().save_pretrained(folder)


def write_other_results() -> None:
    """What no answer changes: those of the last run, and short tables."""
    METRICS.mkdir(parents=True, exist_ok=True)
    for name in ("general", "episodes", "rerun_variance", "mix", "render", "train"):
        shutil.copy(ROOT / METRICS / f"{name}.json", METRICS)
    steps = range(1, 9)
    csv_records.write(
        DATA / "train_log.csv", TrainStep, [TrainStep(n, 3 / n, 1e-4, 1.0) for n in steps]
    )
    rows = [ValidationRow(n, 2 / n, 1 - 1 / (n + 1)) for n in steps]
    csv_records.write(DATA / "validation.csv", ValidationRow, rows)
    cells = [CoverageRow("checkout", name, "simple", "en", 4) for name in ("order", "express")]
    csv_records.write(DATA / "coverage.csv", CoverageRow, cells)
    jsonl.write(DATA / "goals.jsonl", [])


def start_repository() -> None:
    """This folder as a version of the project, all of it in git."""
    for command in (
        ["git", "init", "-q"],
        ["git", "config", "user.name", "t"],
        ["git", "config", "user.email", "t@example.org"],
        [sys.executable, "-m", "dvc", "init", "-q"],
    ):
        subprocess.run(command, check=True, capture_output=True)
    Path("dvc.yaml").write_text("stages: {}\n")
    Path("dvc.lock").write_text("schema: '2.0'\nstages: {}\n")


def commit(tag: str) -> None:
    for words in (["add", "-A"], ["commit", "-q", "-m", tag], ["tag", tag]):
        subprocess.run(["git", *words], check=True, capture_output=True)


def main(folder: Path) -> None:
    for name, quality in {"chance": CHANCE, "specialist": SPECIALIST, "worse": WORSE}.items():
        (folder / name).mkdir(parents=True)
        with chdir(folder / name):
            start_repository()
            if name == "worse":
                write_version(SPECIALIST)
                commit("v1")
            write_version(quality, against="v1" if name == "worse" else "")
            print(folder / name / run_report() / "index.html")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
