"""A suite is checked for what no answer could meet, and shows what rules and garbage score."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tuning.records import Tool, User
from benchmark.reports import suite_check
from benchmark.scoring.baselines import BASELINES
from benchmark.scoring.degenerate import DEGENERATE
from benchmark.scoring.score_suites import ScoreConfig
from benchmark.tasks import suites
from benchmark.tasks.suite_prompts import SuitePrompt
from benchmark.tasks.suites import Gold, GoldCall, Suite, Task

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
SCORING = ScoreConfig(0.5, "rouge_l", 20, 7, (0.0,))
TOOL = Tool("get_weather", "Weather of a city.", SCHEMA)
PARAMS = "scoring: {lam: 0.5, text_scorer: rouge_l, bootstrap: 20, seed: 7, sweep: [0]}\n"


def task(number: int, *calls: GoldCall, **changes: Any) -> Task:
    fields: dict[str, Any] = {
        "id": f"made/{number}",
        "prompt": f"g{number}",
        "turns": (User(f"Rain in city {number}?"),),
        "golds": (Gold("call" if calls else "no_call", "look up the rain", calls),),
        "kind": "call",
    }
    return Task(**{**fields, **changes})


GOOD = task(1, GoldCall("get_weather", {"city": ("Oslo",), "days": (3,)}, ("days",)))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    return Path("made")


def run(folder: Path, *tasks: Task, tool: Tool = TOOL) -> int:
    ids = dict.fromkeys(task.prompt for task in tasks)
    prompts = {
        id: SuitePrompt(id, "en", ("get_weather",), "plain.en", "react", "react") for id in ids
    }
    suites.write(folder, Suite("made", {"get_weather": tool}, prompts, tasks))
    try:
        suite_check.main(folder)
    except SystemExit as stopped:
        return stopped.code == 1
    return 0


def test_a_sound_suite_shows_its_contents_baselines_and_degenerate_answers(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, GOOD, task(2)) == 0
    printed = capsys.readouterr().out
    assert "2 tasks in 2 prompts, 1 tools, lists of 1 tools" in printed
    assert "decision         1 call, 1 no_call" in printed
    shown = [line.split()[1] for line in printed.splitlines() if line.startswith("made ")]
    assert shown == [*BASELINES, *DEGENERATE]


UNUSABLE = {
    "local": ({"$ref": "#/$defs/City"}, "parameters: a $ref: write out what it names"),
    "remote": ({"$ref": "http://x.org/city.json"}, "parameters.properties.city: $ref 'http"),
    "no schema": ({"type": "strin"}, "parameters: not a JSON Schema"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_tool_that_no_list_can_show_is_a_problem_line(
    what: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    city, problem = UNUSABLE[what]
    parameters = SCHEMA | {"properties": {"city": city, "days": {"type": "integer"}}}
    defs = {"$defs": {"City": {"type": "string"}}}
    bad = msgspec.structs.replace(TOOL, parameters=parameters | defs)
    assert run(folder, GOOD, task(2), tool=bad)
    assert f"tool get_weather: {problem}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        pytest.param(
            task(2, GoldCall("get_weather", {"days": (3,)})),
            "the required argument 'city' of get_weather is missing or optional",
            id="required",
        ),
        pytest.param(
            task(2, GoldCall("get_weather", {"city": ("Oslo",), "hour": (3,)})),
            "get_weather has no argument 'hour'",
            id="undeclared",
        ),
        pytest.param(
            task(2, GoldCall("get_weather", {"city": ("Oslo", 7)})),
            "get_weather: city: 7 does not fit the tool's schema",
            id="type",
        ),
        pytest.param(
            msgspec.structs.replace(GOOD, id="made/2"),
            "turns: the same as those of 'made/1'",
            id="asked twice",
        ),
        pytest.param(
            msgspec.structs.replace(GOOD, id="made/2", prompt="g2"),
            "turns: the same as those of 'made/1'",
            id="asked twice, under an equal prompt",
        ),
    ],
)
def test_what_no_answer_can_meet_is_a_problem(
    folder: Path, capsys: pytest.CaptureFixture[str], bad: Task, problem: str
) -> None:
    assert run(folder, GOOD, bad) == 1
    assert f"made: made/2: {problem}" in capsys.readouterr().err.replace("golds: ", "")


def test_the_house_suite_is_sound() -> None:
    house = suites.read(Path("benchmark/suites/house"))
    assert list(suite_check.find_problems(house, SCORING)) == []
