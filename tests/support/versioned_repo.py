"""A small project under git and DVC with two answered suites, for tests that compare versions."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from dvc.repo import Repo

from agent_tuning.files import jsonl, metrics_file
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import Assistant, Call, Tool, User
from benchmark.engines.answer import Answer
from benchmark.tasks import suites
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Gold, GoldCall, Suite, Task

TOOL = Tool("get_weather", "Weather of a city.", {"properties": {"city": {"type": "string"}}})
TASKS = [
    Task(
        id=f"{suite}/{number:03}",
        prompt=f"{suite}{number // 4}",
        turns=(User(f"Rain in city {number}?"),),
        golds=(
            Gold("call", "look up the rain", (GoldCall("get_weather", {"city": (f"c{number}",)}),)),
        ),
        kind="call",
    )
    for suite in ("house", "bfcl")
    for number in range(120)
]
PARAMS: dict[str, Any] = {
    "predict": {
        "max_new_tokens": 88,
        "malformed_stop_tokens": 20,
        "batch_size": 84,
        "threads": 2,
    },
    "scoring": {"lam": 0.5, "text_scorer": "rouge_l", "bootstrap": 50, "seed": 7, "sweep": [0.5]},
    "compare": {"resamples": 500, "seed": 7, "alpha": 0.05},
    "recipe": "general",
    "recipes": {"general": {"predict": {}}},
}
ANSWERS, REQUESTS, METRICS = (
    "data/general/answers",
    "data/general/requests.jsonl",
    "metrics/general",
)
PIPELINE = {
    "stages": {
        "predict": {
            "cmd": "true",
            "deps": [REQUESTS],
            "params": ["predict", "recipes.general.predict"],
            "outs": [f"{ANSWERS}/base.jsonl", f"{ANSWERS}/tuned.jsonl"],
        }
    }
}
GIT_IDENTITY = {"user.name": "t", "user.email": "t@example.org"}
SIGNATURE = "signature.rouge_l|tok:1|lam:0.5|suite:0123"
PATHS = (ANSWERS, REQUESTS, METRICS, "report/compare", "suites/house", "suites/bfcl")


def build_right_answer(task: Task) -> Answer:
    calls = tuple(
        Call(c.name, {k: v[0] for k, v in c.arguments.items()}) for c in task.golds[0].calls
    )
    turn = Assistant("call", task.golds[0].thought, calls)
    return Answer(task.id, REPLY_FORMATS["react"].write(turn))


def build_wrong_answer(task: Task) -> Answer:
    return Answer(task.id, REPLY_FORMATS["react"].write(Assistant("no_call", "hm", text="No.")))


def write_answers(wrong_tasks: Iterable[str] = (), model: str = "tuned") -> None:
    """Right answers to all tasks but `wrong_tasks`."""
    wrong_ids = set(wrong_tasks)
    answers = [
        build_wrong_answer(task) if task.id in wrong_ids else build_right_answer(task)
        for task in TASKS
    ]
    jsonl.write(Path(f"{ANSWERS}/{model}.jsonl"), answers)


def write_suites() -> None:
    for suite in ("house", "bfcl"):
        tasks = tuple(task for task in TASKS if task.prompt.startswith(suite))
        prompts = {
            task.prompt: SuitePrompt(
                task.prompt, "en", ("get_weather",), "plain.en", "react", "react"
            )
            for task in tasks
        }
        folder = Path(f"suites/{suite}")
        suites.write(folder, Suite(suite, {"get_weather": TOOL}, prompts, tasks))
        metrics_file.write(Path(f"{METRICS}/{suite}.json"), {SIGNATURE: 1})


def start_project() -> None:
    """A project in the current folder, in which only base is wrong."""
    start_git()
    Repo.init(".").close()
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS))
    Path("dvc.yaml").write_text(yaml.safe_dump(PIPELINE))
    Path(".gitignore").write_text("/report\n")
    Path(REQUESTS).parent.mkdir(parents=True)
    Path(REQUESTS).write_text("{}\n")
    write_suites()
    write_answers()
    write_answers([task.id for task in TASKS], "base")


def start_git() -> None:
    run_git("init", "-q")
    for key, value in GIT_IDENTITY.items():  # DVC asks the repository
        run_git("config", key, value)


def commit(tag: str) -> None:
    """Everything as it lies here: large files to DVC's cache, the rest to git."""
    with Repo(".") as repo:
        repo.commit(force=True)
    run_git("add", "-A")
    run_git("commit", "-q", "-m", tag)
    run_git("tag", tag)


def run_git(*command: str) -> None:
    subprocess.run(["git", *command], check=True, capture_output=True)
