"""A suite is checked for what no answer could meet, and shows what rules and garbage score."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tuning.records import Assistant, Tool, User
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


def run(folder: Path, *tasks: Task, tool: Tool = TOOL, **changes: Any) -> int:
    """Check the suite of these tasks; `changes` are of its prompts."""
    fields = {"language": "en", "tools": ("get_weather",), "template": "plain.en"} | changes
    formats = {"tool_format": "react", "reply_format": "react"}
    prompts = {task.prompt: SuitePrompt(**{"id": task.prompt} | formats | fields) for task in tasks}
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
    "list of properties": ({"properties": ["name"]}, "parameters: not a JSON Schema"),
    "cyclic": ({"$ref": "#/$defs/Part"}, "parameters: a $ref: write out what it names"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_tool_that_no_list_can_show_is_a_problem_line(
    what: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    city, problem = UNUSABLE[what]
    parameters = SCHEMA | {"properties": {"city": city, "days": {"type": "integer"}}}
    part = {"type": "object", "properties": {"part": {"$ref": "#/$defs/Part"}}}
    defs = {"$defs": {"City": {"type": "string"}, "Part": part}}
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


RAIN = (User("Rain?"), Assistant("no_call", "Where?"))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"id": "2"}, "2: id: expected the suite's name before it, such as made/2"),
        ({"turns": (User(" \n"),)}, "made/2: turns: a query without text"),
        ({"turns": RAIN}, "made/2: turns: expected to end with the user's turn or a tool's result"),
        ({"turns": RAIN[1:] + RAIN[:1]}, "made/2: turns: expected the user's turn first"),
        (
            {"turns": (User("奥斯陆明天会下雨吗?"),)},
            "made/2: turns: a Chinese query under a prompt",
        ),
    ],
    ids=["no prefix", "no text", "ends with the model", "starts with the model", "Chinese"],
)
def test_a_task_that_nobody_could_be_asked_is_a_problem(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], problem: str
) -> None:
    assert run(folder, GOOD, task(2, **changes)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"made: {problem}")


def test_an_english_query_may_name_a_chinese_place(folder: Path) -> None:
    assert run(folder, GOOD, task(2, turns=(User("Will it rain in 上海 tomorrow?"),))) == 0


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"template": "plane.en"}, "g1: template: unknown 'plane.en'; available: agent.en, "),
        ({"template": "plain.zh"}, "g1: template: unknown 'plain.zh'; available: agent.en, "),
        ({"tools": ()}, "g1: tools: expected at least one"),
    ],
    ids=["unknown", "of another language", "no tools"],
)
def test_a_prompt_that_nobody_could_be_asked_is_a_problem(
    folder: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], problem: str
) -> None:
    assert run(folder, task(1), **changes) == 1
    assert capsys.readouterr().err.startswith(f"made: {problem}")


def test_an_empty_suite_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder) == 1
    assert capsys.readouterr().err == "made: tasks.jsonl: no tasks\n"


def test_the_house_suite_is_sound() -> None:
    house = suites.read(Path("benchmark/suites/house"))
    assert list(suite_check.find_problems(house, SCORING)) == []
