"""The stage `suites`: files of others in, suites that read back and a fence around all of them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import ProtectedQuery
from agent_tuning.records import BadInput
from benchmark.tasks import suites as suite_files
from stages import suites

PARAMS = """\
suites:
  calls: [simple]
  no_calls: [none]
  limits: {max_tool_chars: 600, max_query_chars: 200, max_accepted: 8}
  nested:
    limits: {max_tool_chars: 600, max_query_chars: 200, max_orders: 6}
    calls_per_group: 2
  tool_lists:
    seed: 1
    calls_per_group: 2
    no_calls_per_group: 1
    tools_per_prompt: 4
    ambiguous: 0.35
    answerable: 0.45
    templates: [plain.en]
    tool_formats: [python, openai]
    reply_formats: [react]
"""
FORMATS = {"template": "plain.en", "tool_format": "react", "reply_format": "react"}
HOUSE_PROMPT = {"id": "house/g1", "language": "en", "tools": [], **FORMATS}
HOUSE_TASK = {
    "id": "house/1",
    "prompt": "house/g1",
    "turns": [
        {"role": "user", "text": "Good morning"},
        {"role": "assistant", "decision": "no_call", "text": "Good morning."},
        {"role": "user", "text": "And good night"},
    ],
    "golds": [{"decision": "no_call"}],
    "kind": "general",
}
THINGS = ("violin", "glacier", "lawsuit", "recipe", "comet", "turbine")


def lines(path: Path, *records: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def question(name: str, query: str, tool: str) -> dict[str, Any]:
    schema = {"type": "dict", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    function = {"name": tool, "description": f"All about a {tool}.", "parameters": schema}
    return {
        "id": name,
        "question": [[{"role": "user", "content": query}]],
        "function": [function],
    }


LOOK = {"name": "list_processes", "description": "", "parameters": {"type": "object"}}
WISH_PROMPT = {"id": "g", "language": "en", "tools": ["list_processes"], **FORMATS}
WISH = {
    "id": "episodes/1",
    "task": "episodes/1",
    "prompt": "g",
    "family": "operating_system",
    "seed": "",
    "query": "What does ada run?",
    "gold": [{"name": "list_processes"}],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS)
    calls = [question(f"simple_{thing}", f"Mend the {thing} 5", thing) for thing in THINGS]
    golds = [{"id": f"simple_{thing}", "ground_truth": [{thing: {"x": [5]}}]} for thing in THINGS]
    none = [question(f"none_{n}", f"Sing song {n}", f"orchid{n}") for n in range(4)]
    lines(Path("raw/BFCL_v4_simple.json"), *calls)
    lines(Path("raw/possible_answer/BFCL_v4_simple.json"), *golds)
    lines(Path("raw/BFCL_v4_none.json"), *none)
    nested()
    lines(Path("suites/house/tools.jsonl"))
    lines(Path("suites/house/prompts.jsonl"), HOUSE_PROMPT)
    lines(Path("suites/house/tasks.jsonl"), HOUSE_TASK)
    lines(Path("suites/episodes/tools.jsonl"), LOOK)
    lines(Path("suites/episodes/prompts.jsonl"), WISH_PROMPT)
    lines(Path("suites/episodes/episodes.jsonl"), WISH)
    return tmp_path


def nested() -> None:
    """A query a thing, for its price and then for a purchase at that price."""
    text = {"type": "string", "required": True}
    specs = [
        {
            "name": f"{verb}_{thing}",
            "description": f"To {verb} a {thing}.",
            "query_parameters": {"value": text},
            "output_parameters": {"price": {"type": "number"}},
        }
        for thing in THINGS
        for verb in ("appraise", "purchase")
    ]
    data = [
        {
            "input": f"Buy the {thing} for what it is worth",
            "output": [
                {"name": f"appraise_{thing}", "arguments": {"value": "it"}, "label": "var1"},
                {
                    "name": f"purchase_{thing}",
                    "arguments": {"value": "$var1.price$"},
                    "label": "var2",
                },
                {"name": "var_result", "arguments": {"bought": "$var2$"}},
            ],
        }
        for thing in THINGS
    ]
    Path("nested").mkdir()
    for part, entries in (("data", data), ("spec", specs)):
        Path(f"nested/shop-{part}.json").write_text(json.dumps(entries))


def run(place: str = ".") -> None:
    names = ("bfcl", "nestful", "bfcl/protected.jsonl")
    raw, nested, own = map(Path, ("raw", "nested", "suites"))
    suites.main(raw, nested, own, *(Path(place, name) for name in names))


@pytest.mark.usefixtures("place")
def test_the_suite_reads_back() -> None:
    run()
    suite = suite_files.read(Path("bfcl"))
    assert len(suite.tasks) == 10
    assert {len(prompt.tools) for prompt in suite.prompts.values()} == {4}
    assert all(task.id.startswith("bfcl/") for task in suite.tasks)


@pytest.mark.usefixtures("place")
def test_nested_calls_refer_to_each_other() -> None:
    run()
    suite = suite_files.read(Path("nestful"))
    assert {task.kind for task in suite.tasks} == {"nested"}
    assert len(suite.tasks) == len(THINGS)
    for task in suite.tasks:
        first, second = task.golds[0].calls
        assert second.arguments == {"value": ("$var1.price$",)}
        assert {first.name, second.name} <= set(suite.prompts[task.prompt].tools)


@pytest.mark.usefixtures("place")
def test_every_user_turn_of_suites_and_episodes_is_protected() -> None:
    run()
    fenced = list(jsonl.read(Path("bfcl/protected.jsonl"), ProtectedQuery))
    assert [(record.query, record.task) for record in fenced[:2]] == [
        ("Good morning", "house/1"),
        ("And good night", "house/1"),
    ]
    assert fenced.pop() == ProtectedQuery("What does ada run?", "episodes/1", ("list_processes",))
    derived = [suite_files.read(Path(name)) for name in ("bfcl", "nestful")]
    offered = {
        task.id: suite.prompts[task.prompt].tools for suite in derived for task in suite.tasks
    }
    assert all(record.tools == offered[record.task] for record in fenced[2:])
    assert {record.task for record in fenced[2:]} == offered.keys()


@pytest.mark.usefixtures("place")
def test_the_queries_of_any_further_suite_are_protected_too_but_not_of_earlier_versions() -> None:
    for name in ("mine", "yours", "yours-1"):
        folder = Path("suites", name)
        lines(folder / "tools.jsonl")
        lines(folder / "prompts.jsonl", {**HOUSE_PROMPT, "id": name})
        turns = [{"role": "user", "text": f"This is {name}"}]
        task = {**HOUSE_TASK, "id": f"{name}/1", "prompt": name, "turns": turns}
        lines(folder / "tasks.jsonl", task)
    run()
    fenced = list(jsonl.read(Path("bfcl/protected.jsonl"), ProtectedQuery))
    assert ProtectedQuery("This is mine", "mine/1") in fenced
    assert ProtectedQuery("This is yours", "yours/1") in fenced
    assert "This is yours-1" not in {one.query for one in fenced}


@pytest.mark.usefixtures("place")
def test_the_order_of_lines_changes_no_byte() -> None:
    run("first")
    for path in Path("raw").rglob("*.json"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[::-1]))
    for path in Path("nested").iterdir():
        path.write_text(json.dumps(json.loads(path.read_text())[::-1]))
    run("second")
    assert (
        Path("first/nestful/tasks.jsonl").read_bytes()
        == Path("second/nestful/tasks.jsonl").read_bytes()
    )
    for name in ("tools.jsonl", "prompts.jsonl", "tasks.jsonl", "protected.jsonl"):
        assert Path("first/bfcl", name).read_bytes() == Path("second/bfcl", name).read_bytes()


@pytest.mark.usefixtures("place")
def test_a_call_without_an_answer_is_no_no_call() -> None:
    golds = Path("raw/possible_answer/BFCL_v4_simple.json")
    golds.write_text("".join(golds.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(BadInput, match=r"possible_answer/BFCL_v4_simple\.json: no answer to"):
        run()


@pytest.mark.usefixtures("place")
def test_a_broken_line_is_named_with_its_number() -> None:
    lines(Path("raw/BFCL_v4_none.json"), question("none_1", "Sing", "orchid"), {"id": 7})
    with pytest.raises(BadInput, match=r"raw/BFCL_v4_none\.json:2: .*\$\.id"):
        run()


@pytest.mark.usefixtures("place")
def test_overlays_of_a_derived_suite_travel_with_it() -> None:
    run()
    task = suite_files.read(Path("bfcl")).tasks[0]
    erratum = suite_files.Erratum(task.id, (suite_files.Gold("ask"),), "says not where")
    jsonl.write(Path("suites/bfcl/overlays/1.jsonl"), [erratum])
    run()
    suite = suite_files.read(Path("bfcl"))
    assert (suite.version, suite.tasks[0].decision) == (1, "ask")
    jsonl.write(
        Path("suites/bfcl/overlays/2.jsonl"), [msgspec.structs.replace(erratum, task="gone")]
    )
    with pytest.raises(BadInput, match=r"overlays/2\.jsonl:1: task: 'gone' is not in the suite"):
        run()
