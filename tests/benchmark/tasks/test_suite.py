"""A suite is read strictly: a mistake is named by file, line and field."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_tuning.records import BadInput
from benchmark.tasks import suites

TOOL = {"name": "get_weather", "description": "Weather of a city.", "parameters": {}}
PROMPT: dict[str, Any] = {
    "id": "g1",
    "language": "en",
    "tools": ["get_weather"],
    "template": "plain",
    "tool_format": "openai",
    "reply_format": "react",
}
TASK: dict[str, Any] = {
    "id": "house/1",
    "prompt": "g1",
    "turns": [{"role": "user", "text": "Rain in Oslo?"}],
    "golds": [
        {
            "decision": "call",
            "thought": "look up the weather",
            "calls": [{"name": "get_weather", "arguments": {"city": ["Oslo"]}}],
        }
    ],
    "kind": "call",
}


def written(
    folder: Path,
    tasks: list[Any],
    tools: tuple[Any, ...] = (TOOL,),
    prompts: tuple[Any, ...] = (PROMPT,),
) -> Path:
    for name, records in (("tools", tools), ("prompts", prompts), ("tasks", tasks)):
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{name}.jsonl").write_text(lines)
    return folder


def second(**changes: Any) -> dict[str, Any]:
    return {**TASK, "id": "house/2", **changes}


def second_prompt(**changes: Any) -> dict[str, Any]:
    return {**PROMPT, "id": "g2", **changes}


def gold_call(**changes: Any) -> list[Any]:
    call = {"name": "get_weather", "arguments": {"city": ["Oslo"]}, **changes}
    return [{"decision": "call", "calls": [call]}]


def test_a_good_suite_is_read_whole(tmp_path: Path) -> None:
    suite = suites.read(written(tmp_path, [TASK, second()]))
    assert [task.id for task in suite.tasks] == ["house/1", "house/2"]
    assert suite.prompt(suite.tasks[0]).tools[0].name == "get_weather"
    assert suite.tasks[0].decision == "call"


@pytest.mark.parametrize(
    ("task", "place", "problem"),
    [
        pytest.param(second(prompt="g9"), "tasks.jsonl:2", "prompt: 'g9' is not in", id="prompt"),
        pytest.param(second(id="house/1"), "tasks.jsonl:2", "id: 'house/1'", id="repeated id"),
        pytest.param(
            second(golds=gold_call(name="fly")), "tasks.jsonl:2", "golds: calls 'fly'", id="gold"
        ),
        pytest.param(second(golds=[]), "tasks.jsonl:2", "golds: a task needs", id="no gold"),
        pytest.param(second(surprise=1), "tasks.jsonl:2", "surprise", id="unknown field"),
        pytest.param(
            second(golds=[{"decision": "call"}]),
            "tasks.jsonl:2",
            "$.golds[0]",
            id="call of nothing",
        ),
        pytest.param(
            second(golds=gold_call(arguments={"city": []})),
            "tasks.jsonl:2",
            "'city' accepts no value",
            id="no accepted value",
        ),
        pytest.param(
            second(golds=gold_call(optional=["day"])), "tasks.jsonl:2", "'day'", id="optional"
        ),
    ],
)
def test_a_mistake_is_named_with_file_line_and_field(
    tmp_path: Path, task: dict[str, Any], place: str, problem: str
) -> None:
    with pytest.raises(BadInput) as error:
        suites.read(written(tmp_path, [TASK, task]))
    assert place in str(error.value)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        pytest.param(second_prompt(tools=["no"]), "tools: 'no' is not in tools.jsonl", id="tool"),
        pytest.param(second_prompt(id="g1"), "id: 'g1' is a duplicate", id="repeated id"),
        pytest.param(second_prompt(language="fr"), "Invalid enum value 'fr'", id="language"),
        pytest.param(
            second_prompt(tools=["get_weather", "get_weather.zh"]),
            "tools: two tools have the same name",
            id="two tools of one name",
        ),
        pytest.param(
            second_prompt(tool_format="prose"),
            "tool_format: unknown format 'prose'; available: ",
            id="tool format",
        ),
        pytest.param(
            second_prompt(reply_format="morse"),
            "reply_format: unknown format 'morse'; available: ",
            id="reply format",
        ),
        pytest.param(
            second_prompt(reply_format="native"),
            "template, tool_format, reply_format: expected native for all three or for none, "
            "got plain, openai, native",
            id="half native",
        ),
        pytest.param(
            second_prompt(tool_format="native"), "expected native for all three", id="native tools"
        ),
        pytest.param(
            second_prompt(instructions="Be brief."),
            "instructions: expected a native prompt",
            id="instructions in a template of ours",
        ),
        pytest.param(second_prompt(template=""), "template: expected a name", id="no template"),
        pytest.param(
            {**PROMPT, "id": "g2", "menu": []}, "unknown field `menu`", id="unknown field"
        ),
    ],
)
def test_a_mistake_in_a_prompt_is_named_with_file_line_and_field(
    tmp_path: Path, prompt: dict[str, Any], problem: str
) -> None:
    tools = (TOOL, {**TOOL, "key": "get_weather.zh"})
    with pytest.raises(BadInput) as error:
        suites.read(written(tmp_path, [TASK], tools, (PROMPT, prompt)))
    assert str(error.value).startswith(f"{tmp_path}/prompts.jsonl:2: ")
    assert problem in str(error.value)


def test_a_native_prompt_has_no_template_and_no_formats_of_ours(tmp_path: Path) -> None:
    native = second_prompt(template="native", tool_format="native", reply_format="native")
    suite = suites.read(written(tmp_path, [TASK], prompts=(PROMPT, native)))
    assert [suite.specs[name].native for name in ("g1", "g2")] == [False, True]


@pytest.mark.parametrize("name", ["house", "shop", "shop_drafted"])
def test_a_committed_suite_is_written_as_it_was_read(tmp_path: Path, name: str) -> None:
    folder = Path("benchmark/suites") / name
    suites.write(tmp_path / name, suites.read(folder))
    for file in ("tools.jsonl", "prompts.jsonl", "tasks.jsonl"):
        assert (tmp_path / name / file).read_bytes() == (folder / file).read_bytes()


def test_instructions_of_a_native_prompt_are_kept(tmp_path: Path) -> None:
    native = {"template": "native", "tool_format": "native", "reply_format": "native"}
    told = second_prompt(instructions="Be brief.", **native)
    suite = suites.read(written(tmp_path, [TASK], prompts=(PROMPT, told)))
    suites.write(tmp_path / "again", suite)
    again = suites.read(tmp_path / "again")
    assert [again.specs[name].instructions for name in ("g1", "g2")] == ["", "Be brief."]


def test_a_tool_occurs_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"tools.jsonl:2: name: 'get_weather'"):
        suites.read(written(tmp_path, [TASK], (TOOL, TOOL)))


def test_a_key_tells_two_translations_of_a_tool_apart(tmp_path: Path) -> None:
    chinese = {**TOOL, "description": "查询天气。", "key": "get_weather.zh"}
    prompt = second_prompt(language="zh", tools=["get_weather.zh"])
    tasks = [TASK, second(prompt="g2")]
    suite = suites.read(written(tmp_path, tasks, (TOOL, chinese), (PROMPT, prompt)))
    assert [suite.prompt(task).tools[0].description for task in suite.tasks] == [
        "Weather of a city.",
        "查询天气。",
    ]


def test_a_suite_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    prompts = (second_prompt(), PROMPT)
    first = suites.read(written(tmp_path, [TASK, second(prompt="g2")], (TOOL,), prompts))
    suites.write(tmp_path / "again", first)
    again = suites.read(tmp_path / "again")
    assert (again.tools, again.prompts, again.tasks) == (first.tools, first.prompts, first.tasks)
    assert list(again.prompts) == ["g2", "g1"]


def test_the_digest_is_of_the_records_and_not_of_their_order(tmp_path: Path) -> None:
    first = suites.read(written(tmp_path, [TASK, second()]))
    turned = suites.read(written(tmp_path, [second(), TASK]))
    other = suites.read(written(tmp_path, [TASK, second(kind="chain")]))
    assert first.digest == turned.digest != other.digest


# ---- overlays

ASK = {"task": "house/1", "golds": [{"decision": "ask"}], "reason": "it says not which day"}


def overlaid(folder: Path, **overlays: list[Any]) -> Path:
    written(folder, [TASK, second()])
    for name, errata in overlays.items():
        path = folder / f"overlays/{name.removeprefix('v')}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(erratum) + "\n" for erratum in errata))
    return folder


def test_an_overlay_corrects_golds_and_every_version_stays_readable(tmp_path: Path) -> None:
    refuse = {**ASK, "golds": [{"decision": "no_call"}]}
    folder = overlaid(tmp_path, v1=[ASK], v2=[refuse, {**ASK, "task": "house/2"}])
    versions = [suites.read(folder, version) for version in (0, 1, 2)]
    decisions = [[task.decision for task in suite.tasks] for suite in versions]
    assert decisions == [["call", "call"], ["ask", "call"], ["no_call", "ask"]]
    assert len({suite.digest for suite in versions}) == 3
    assert suites.read(folder).version == 2


@pytest.mark.parametrize(
    ("errata", "problem"),
    [
        pytest.param([{**ASK, "task": "house/9"}], "'house/9' is not in the suite", id="task"),
        pytest.param([ASK, ASK], "'house/1' has two corrections", id="repeated"),
        pytest.param([{**ASK, "reason": ""}], "an erratum needs golds and a reason", id="reason"),
        pytest.param([{**ASK, "golds": []}], "an erratum needs golds and a reason", id="golds"),
        pytest.param([{**ASK, "golds": gold_call(name="fly")}], "golds: calls 'fly'", id="tool"),
    ],
)
def test_a_bad_erratum_is_named_with_file_and_line(
    tmp_path: Path, errata: list[Any], problem: str
) -> None:
    with pytest.raises(BadInput) as error:
        suites.read(overlaid(tmp_path, v1=errata))
    assert f"1.jsonl:{len(errata)}: " in str(error.value)
    assert problem in str(error.value)


def test_no_version_may_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"3\.jsonl: expected overlays named 1\.jsonl, 2"):
        suites.read(overlaid(tmp_path, v1=[ASK], v3=[ASK]))
