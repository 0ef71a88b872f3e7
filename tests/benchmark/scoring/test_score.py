"""The stage `score`: the same answers give the same bytes, and nothing is skipped."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.prompts.formats import REPLY_FORMATS
from agent_tuning.records import Assistant, BadInput, Call, Tool, User
from agent_tuning.runtime import config
from benchmark.engines.answer import Answer
from benchmark.scoring.baselines import BASELINES
from benchmark.scoring.known_names import MODELS
from benchmark.scoring.score_suites import ScoreConfig, SuiteScores, score_suites
from benchmark.tasks import suites
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Gold, GoldCall, Suite, Task
from stages import score

ROOT = Path(__file__).parents[3]
PARAMS = """
scoring:
  lam: 0.5
  text_scorer: rouge_l
  bootstrap: 50
  seed: 7
  sweep: [0, 0.5, 1]
"""
TOOL = Tool("get_weather", "Weather of a city.", {"properties": {"city": {"type": "string"}}})
TABLES = ("scores.jsonl", "breakdown.csv", "differences.csv", "sweep.csv")
FILES = ["suites/house.json", "suites/bfcl.json", "signatures.json", *TABLES]


def task(suite: str, number: int) -> Task:
    wants_call = number % 2 == 0
    calls = (GoldCall("get_weather", {"city": ("Oslo",)}),) if wants_call else ()
    thought = "look up the weather" if suite == "house" else ""
    return Task(
        id=f"{suite}/{number}",
        prompt=f"g{number // 2}",
        turns=(User("Rain in Oslo?"),),
        golds=(Gold("call" if wants_call else "no_call", thought, calls),),
        kind="call" if wants_call else "on_topic_chat",
        axes={"query": "seen" if number < 4 else "unseen"},
    )


def write_suite(name: str, tasks: Sequence[Task]) -> None:
    prompts = {
        task.prompt: SuitePrompt(task.prompt, "en", ("get_weather",), "plain.en", "react", "react")
        for task in tasks
    }
    suite = Suite(name, {"get_weather": TOOL}, prompts, tuple(tasks))
    suites.write(Path("suites") / name, suite)


def answer(task: Task) -> Answer:
    calls = (Call("get_weather", {"city": "Oslo"}),)
    turn = Assistant("call", "look up the weather", calls)
    return Answer(task.id, REPLY_FORMATS["react"].write(turn))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    tasks = [task(suite, number) for suite in ("house", "bfcl") for number in range(8)]
    for suite in ("house", "bfcl"):
        write_suite(suite, [task for task in tasks if task.id.startswith(suite)])
    jsonl.write(Path("answers/base.jsonl"), [Answer(t.id, "Thought: hm") for t in tasks])
    jsonl.write(
        Path("answers/base_two_shot.jsonl"), (answer(t) for t in tasks if t.id.startswith("house"))
    )
    jsonl.write(Path("answers/tuned.jsonl"), map(answer, tasks))
    return tmp_path


def paths(out: str) -> list[str]:
    return ["suites", "answers", out, *(f"{out}/{name}" for name in TABLES)]


def run(out: str = "out") -> dict[str, Any]:
    score.main(*map(Path, paths(out)))
    return {name: (Path(out) / name).read_bytes() for name in FILES}


def rows(written: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(written.decode().splitlines()))


@pytest.mark.usefixtures("folder")
def test_metrics_hold_both_models_and_name_their_signature() -> None:
    values = json.loads(run()["suites/house.json"])
    assert (values["base.em"], values["base.parse_error_rate"]) == (0, 1)
    assert (values["tuned.em"], values["tuned.call_em"], values["tuned.false_call_rate"]) == (
        0.5,
        1,
        1,
    )
    assert values["tuned.score"] == 1.0
    assert list(values) == sorted(values)
    assert not [name for name in values if name.startswith("signature")]
    signatures = json.loads(Path("out/signatures.json").read_bytes())
    assert list(signatures) == ["bfcl", "house"]
    assert re.match(r"rouge_l\|tok:.*\|lam:0\.5\|suite:[0-9a-f]{12}$", signatures["house"])


@pytest.mark.usefixtures("folder")
def test_a_suite_without_descriptions_has_no_text_and_no_score() -> None:
    written = run()
    values = json.loads(written["suites/bfcl.json"])
    assert values["tuned.call_exact_match"] == 1
    assert not {"tuned.text", "tuned.score"} & values.keys()
    assert {row["suite"] for row in rows(written["sweep.csv"])} == {"house"}


@pytest.mark.usefixtures("folder")
def test_the_tuned_model_is_tested_against_every_other_row_on_the_same_tasks() -> None:
    tested = {(row["suite"], row["model"]): row for row in rows(run()["differences.csv"])}
    assert {model for suite, model in tested if suite == "house"} > {"base", "lexical"}
    base = tested["house", "base"]  # the base never parses, the tuned model is right in 4 of 8
    assert (base["n"], base["em"], base["tuned_em"], base["difference"]) == (
        "8",
        "0.0",
        "0.5",
        "0.5",
    )
    assert float(base["p"]) == 2 / 2**4  # McNemar: four of four changes are to the better
    assert ("house", "tuned") not in tested


@pytest.mark.usefixtures("folder")
def test_every_model_and_baseline_stands_in_the_breakdown() -> None:
    table = rows(run()["breakdown.csv"])
    whole = [(row["suite"], row["model"]) for row in table if row["slice"] == "all"]
    house, bfcl = ["base", "base_two_shot", "tuned", *BASELINES], ["base", "tuned", *BASELINES]
    assert whole == [*(("house", model) for model in house), *(("bfcl", model) for model in bfcl)]


@pytest.mark.usefixtures("folder")
def test_a_line_of_scores_says_what_was_read_and_what_is_wrong() -> None:
    lines = [json.loads(line) for line in run()["scores.jsonl"].splitlines()]
    assert len(lines) == (3 + 2) * 8
    base, tuned = lines[0], lines[17]
    assert base["outcome"] == "malformed"
    assert "expected Action" in base["reason"]
    assert tuned["reason"] == "no_call is right, not call"
    assert tuned["decision"] == 'get_weather({"city": "Oslo"}) [look up the weather]'


@pytest.mark.usefixtures("folder")
def test_the_order_of_records_changes_no_byte() -> None:
    before = run()
    for name in (
        *("answers/base.jsonl", "answers/tuned.jsonl"),
        *("suites/house/tasks.jsonl", "suites/bfcl/tasks.jsonl"),
    ):
        lines = Path(name).read_bytes().splitlines(keepends=True)
        Path(name).write_bytes(b"".join(reversed(lines)))
    assert run("again") == before


@pytest.mark.usefixtures("folder")
def test_a_missing_answer_lowers_the_answered_rate() -> None:
    lines = Path("answers/tuned.jsonl").read_bytes().splitlines(keepends=True)
    Path("answers/tuned.jsonl").write_bytes(b"".join(lines[2:]))
    values = json.loads(run()["suites/house.json"])
    assert (values["tuned.answered_rate"], values["tuned.error"], values["tuned.n"]) == (
        0.75,
        0.25,
        8,
    )
    assert (values["base.incomplete"], values["tuned.incomplete"]) == (0, 1)


@pytest.mark.usefixtures("folder")
def test_no_answer_at_all_is_scored_too() -> None:
    Path("answers/tuned.jsonl").write_text("")
    values = json.loads(run()["suites/house.json"])
    assert (values["tuned.answered_rate"], values["tuned.em"]) == (0, 0)


@pytest.mark.usefixtures("folder")
def test_metrics_hold_intervals_and_the_gaps_of_every_axis() -> None:
    values = json.loads(run()["suites/house.json"])
    assert values["tuned.em.low"] <= values["tuned.em"] <= values["tuned.em.high"]
    assert (
        values["tuned.gap.query.low"] <= values["tuned.gap.query"] <= values["tuned.gap.query.high"]
    )
    assert values["tuned.confusion.no_call.call"] == 4


@pytest.mark.parametrize(
    "setting",
    [
        pytest.param({"PYTHONHASHSEED": "1"}, id="hash seed"),
        pytest.param({"PYTHONHASHSEED": "2", "LANG": "C", "LC_ALL": "C"}, id="plain locale"),
        pytest.param({"LC_ALL": "C.UTF-8", "TZ": "Asia/Shanghai"}, id="utf-8 and another clock"),
    ],
)
def test_another_hash_seed_or_locale_changes_no_byte(folder: Path, setting: dict[str, str]) -> None:
    before = run()
    command = [sys.executable, "-m", "stages.score", *paths("again")]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **setting}
    subprocess.run(command, cwd=folder, env=env, check=True)
    assert {name: (folder / "again" / name).read_bytes() for name in FILES} == before


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param('{"task":"house/99","text":""}', "no suite has a task", id="unknown"),
        pytest.param('{"task":"house/0","text":""}', "two answers to", id="repeated"),
        pytest.param('{"task":"house/0"}', "missing required field `text`", id="incomplete"),
    ],
)
def test_a_bad_line_of_answers_stops_with_its_place(folder: Path, line: str, problem: str) -> None:
    with open(folder / "answers/tuned.jsonl", "a") as out:
        out.write(line + "\n")
    with pytest.raises(BadInput, match=rf"tuned\.jsonl:17: .*{problem}"):
        run()


@pytest.mark.usefixtures("folder")
def test_what_a_model_says_in_half_characters_can_be_written() -> None:
    odd = 'Action: get_weather\nAction Input: {"city": "\\ud83d", "n": 1234567890123456789012}'
    answers = list(jsonl.read(Path("answers/tuned.jsonl"), Answer))
    jsonl.write(Path("answers/tuned.jsonl"), [Answer(answers[0].task, odd), *answers[1:]])
    assert json.loads(run()["suites/house.json"])["tuned.call_exact_match"] == 0.75


@pytest.mark.usefixtures("folder")
def test_a_further_suite_has_its_own_metrics_also_where_nothing_of_it_is_asked() -> None:
    for suite, tasks in (("third", [task("third", 0)]), ("unasked", [])):
        write_suite(suite, tasks)
    with open("answers/tuned.jsonl", "ab") as out:
        out.write(msgspec.json.encode(answer(task("third", 0))) + b"\n")
    run()
    values = json.loads(Path("out/suites/third.json").read_text())
    assert (values["tuned.n"], values["tuned.em"], values["base.answered_rate"]) == (1, 1, 0)
    nothing = json.loads(Path("out/suites/unasked.json").read_text())
    assert (nothing["tuned.n"], "tuned.em" in nothing) == (0, False)


# ---- suites and models by what is in their folders


def score_folders() -> list[SuiteScores]:
    return score_suites(Path("suites"), Path("answers"), config.load("scoring", ScoreConfig))


def models_of(suite: SuiteScores) -> list[str]:
    return list(dict.fromkeys(row.model for row in suite.breakdown))


@pytest.mark.usefixtures("folder")
def test_a_new_suite_and_a_new_model_follow_the_known_ones_by_name() -> None:
    house, bfcl = score_folders()
    assert (house.suite, bfcl.suite) == ("house", "bfcl")
    assert models_of(house) == [*MODELS, *BASELINES]
    assert models_of(bfcl) == ["base", "tuned", *BASELINES]
    write_suite("another", [task("another", 0)])
    write_suite("validation", [task("validation", 0)])
    jsonl.write(Path("answers/another_model.jsonl"), [answer(task("another", 0))])
    scored = score_folders()
    assert [suite.suite for suite in scored] == [*("house", "bfcl", "another", "validation")]
    assert models_of(scored[0]) == [*MODELS, *BASELINES]
    assert models_of(scored[2]) == ["base", "tuned", "another_model", *BASELINES]
    # the models that are asked every suite have answered nothing of the new one
    assert scored[2].metrics["tuned.answered_rate"] == 0


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        ("answers/tuned.jsonl", r"answers/tuned\.jsonl: no such file; run the stage `predict`"),
        ("suites", r"suites: no suites: expected folders with a tasks\.jsonl"),
    ],
)
def test_a_folder_that_lacks_what_is_needed_is_named(missing: str, problem: str) -> None:
    Path(missing).rename("elsewhere")
    with pytest.raises(BadInput, match=problem):
        score_folders()
