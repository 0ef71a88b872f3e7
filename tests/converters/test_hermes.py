"""Hermes' function calling rows: ShareGPT with calls and results between tags."""

import json
import re
from typing import Any

import pytest

from agent_tuning.records import Assistant, Call, ToolResult, User
from tests.support import import_stage

TIDE = {
    "type": "function",
    "function": {
        "name": "get_tide",
        "description": "Tide at a quay.",
        "parameters": {
            "type": "object",
            "properties": {"quay": {"type": "string"}},
            "required": ["quay"],
        },
    },
}
PROMPT = (
    "You call functions, whose signatures are within <tools></tools> tags.\n"
    "<tools>\n{tools}\n</tools>\nFor each call return JSON within <tool_call></tool_call> tags."
)


def called(value: str) -> str:
    return f"<tool_call>\n{value}\n</tool_call>"


def gave(value: str) -> str:
    return f"<tool_response>\n{value}\n</tool_response>"


def row(*said: tuple[str, str], prompt: str = "", **fields: Any) -> dict[str, Any]:
    system = prompt or PROMPT.format(tools=json.dumps([TIDE]))
    conversations = [{"from": one, "value": value} for one, value in (("system", system), *said)]
    about = {"id": "7c2", "category": "Sea", "subcategory": "Tides", "task": "Ask a tide"}
    return {"conversations": conversations, "tools": json.dumps([TIDE]), **about, **fields}


def call(quay: str) -> str:
    return called(json.dumps({"arguments": {"quay": quay}, "name": "get_tide"}))


def result(high: Any) -> str:
    return gave(json.dumps({"name": "get_tide", "content": high}))


GOOD = row(
    ("human", "Tide at North and South?"),
    ("gpt", f"I look.\n{call('North')}\n{call('South')}"),
    ("tool", f"{result({'high': 4.5})}\n{result(5)}"),
    ("gpt", "High at both."),
)


def test_a_row_becomes_turns_with_calls_and_results():
    group = import_stage.read("hermes", GOOD)
    assert group.trajectories[0].turns == (
        User("Tide at North and South?"),
        Assistant(
            "call",
            "I look.",
            (Call("get_tide", {"quay": "North"}), Call("get_tide", {"quay": "South"})),
        ),
        ToolResult("get_tide", {"high": 4.5}),
        ToolResult("get_tide", 5),
        Assistant("no_call", text="High at both."),
    )
    assert [tool.name for tool in group.tools] == ["get_tide"]


ASKED = ("human", "Tide at North?")


@pytest.mark.parametrize("written", [json.dumps([TIDE]), str([TIDE])])
def test_tools_may_stand_in_the_prompt_alone(written):
    given = row(ASKED, ("gpt", "No."), prompt=PROMPT.format(tools=written), tools=None)
    assert import_stage.read("hermes", given).tools == import_stage.read("hermes", GOOD).tools


@pytest.mark.parametrize(
    ("written", "content"),
    [
        ("{'high': True}", {"high": True}),
        ('{"high": 4.5}', {"high": 4.5}),
        ("3.10", "3.10"),
        ("high water", "high water"),
    ],
)
def test_calls_and_results_may_be_python_and_a_result_a_text(written, content):
    said = called("{'name': 'get_tide', 'arguments': {'quay': 'North'}}")
    group = import_stage.read(
        "hermes", row(ASKED, ("gpt", said), ("tool", gave(written)), ("gpt", "Yes."))
    )
    _, decision, seen, _ = group.trajectories[0].turns
    assert decision.calls == (Call("get_tide", {"quay": "North"}),)
    assert seen == ToolResult("get_tide", content)


def answered(value: str) -> dict[str, Any]:
    return row(ASKED, ("gpt", call("N")), ("tool", value), ("gpt", "Yes."))


CORRUPT = {
    "tools: expected a list": row(ASKED, ("gpt", "{}"), prompt="Answer in JSON.", tools=None),
    "conversations.0.value: expected a value of JSON": row(
        ASKED, ("gpt", "No."), prompt=PROMPT.format(tools="[{'name': "), tools=None
    ),
    "conversations.2.value: expected a value of JSON": row(
        ASKED, ("gpt", called('{"name": "get_tide", "arguments": {'))
    ),
    "turn 1 of the model: '<tool_call>' in its text": row(ASKED, ("gpt", "<tool_call>{}")),
    "conversations.3.value: expected results between": answered("4.5"),
    "conversations.3.value: 2 observations for 1 calls": answered(gave("1") + gave("2")),
    "conversations.3.value: no result of get_tide": answered(gave('{"name": "a", "content": 1}')),
    "conversations.1.from: unknown speaker 'function'": row(("function", "1"), ("gpt", "Yes.")),
    "unknown field `score`": {**GOOD, "score": 1},
}


@pytest.mark.parametrize("problem", CORRUPT)
def test_a_row_that_cannot_be_read_is_one_line_that_names_the_place(problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}") as error:
        import_stage.read("hermes", CORRUPT[problem])
    assert "\n" not in str(error.value)


def test_the_stage_counts_every_row_of_the_config(workplace):
    single = row(("human", "Tide at East?"), ("gpt", call("East")))
    unlisted = row(("human", "Book N."), ("gpt", called('{"name": "book", "arguments": {}}')))
    corrupt = [one for problem, one in CORRUPT.items() if "score" not in problem]
    rows = [GOOD, single, unlisted, GOOD, *corrupt]
    hub = import_stage.publish(workplace / "hub", rows, "data/func-calling.json", "func_calling")
    done = import_stage.run(hub, "hermes", config="func_calling", splits=["train"])
    assert [len(group.trajectories[0].turns) for group in done.groups] == [5, 2]
    assert done.metrics["kept_from_hermes"] == 2
    assert done.reasons == {"unreadable": len(corrupt), "not_on_menu": 1, "duplicate": 1}
