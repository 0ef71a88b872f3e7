"""Toucan's SFT rows, in their published shape: JSON texts with calls that Python wrote."""

import json
import re
from typing import Any

import pytest

from agent_tuning.records import Assistant, Call, ToolResult, User
from tests.support import import_stage

TIDE = {
    "type": "function",
    "function": {
        "name": "harbour-server-get_tide",
        "description": "Tide at a quay.",
        "parameters": {
            "type": "object",
            "properties": {"quay": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["quay"],
        },
    },
}
NAME = TIDE["function"]["name"]


def message(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def call(name: str = NAME, **arguments: Any) -> dict[str, str]:
    """A call as the set has it: Python around a text of JSON."""
    return message("tool_call", str({"name": name, "arguments": json.dumps(arguments)}))


def row(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "uuid": "0b6f",
        "subset_name": "single-turn-original",
        "question": "Tide at North?",
        "target_tools": NAME,
        "tools": json.dumps([TIDE]),
        "messages": json.dumps(messages),
        **fields,
    }


ASKED = message("user", "Tide at North and South? It's for Ann's boat.")
SAID = message("assistant", "High at both.")
GOOD = row(
    ASKED,
    message("assistant", "I look at both."),
    call(quay="North", days=2),
    call(quay='Ann\'s "South"'),
    message("tool_response", '{"high": 4.5}'),
    message("tool_response", "high water"),
    SAID,
)


def test_a_row_becomes_turns_with_calls_results_and_trained_replies():
    group = import_stage.read("toucan", GOOD)
    (trajectory,) = group.trajectories
    assert trajectory.turns == (
        User(ASKED["content"]),
        Assistant(
            "call",
            "I look at both.",
            (
                Call(NAME, {"quay": "North", "days": 2}),
                Call(NAME, {"quay": 'Ann\'s "South"'}),
            ),
        ),
        ToolResult(NAME, {"high": 4.5}),
        ToolResult(NAME, "high water"),
        Assistant("no_call", text="High at both."),
    )
    assert trajectory.kind == "multi"
    assert [tool.name for tool in group.tools] == [NAME]
    assert all(turn.trained for turn in trajectory.turns if isinstance(turn, Assistant))


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"name": NAME, "arguments": {"quay": "North"}}),
        json.dumps({"name": NAME, "arguments": '{"quay": "North"}'}),
        str({"name": NAME, "arguments": {"quay": "North"}}),
        str({"name": NAME, "arguments": "{'quay': 'North'}"}),
    ],
)
def test_a_call_may_be_json_or_python_at_each_level(content):
    group = import_stage.read("toucan", row(ASKED, message("tool_call", content)))
    assert group.trajectories[0].turns[-1].calls == (Call(NAME, {"quay": "North"}),)


def test_a_tool_list_of_one_chat_template_is_no_text_of_the_user():
    declared = message("system", "<|im_system|>tool_declare<|im_middle|>[{}]<|im_end|>")
    group = import_stage.read("toucan", row(declared, message("system", "Be brief."), ASKED, SAID))
    assert group.trajectories[0].turns[0] == User(f"Be brief.\n\n{ASKED['content']}")


CORRUPT = {
    "messages: expected JSON": row(messages='[{"role": "user", "content": "Tide'),
    "tools: expected JSON": row(ASKED, SAID, tools="[{'type': 'function'}]"),
    "messages.1.content: expected a value of JSON or Python": row(
        ASKED, message("tool_call", "{'name': 'a', 'arguments': '{\"quay\": ")
    ),
    "messages.1.content.arguments: expected a value of JSON or Python": row(
        ASKED, message("tool_call", str({"name": NAME, "arguments": '{"quay": North}'}))
    ),
    "messages.1.content: Expected `str`, got `null`": row(ASKED, message("tool_call", "{}")),
    "messages.3: 1 observations for 2 calls": row(
        ASKED, call(quay="N"), call(quay="S"), message("tool_response", "9"), SAID
    ),
    "messages.1: 1 observations for 0 calls": row(ASKED, message("tool_response", "9"), SAID),
    "messages.1.role: unknown role 'function'": row(ASKED, message("function", "9"), SAID),
    "messages.1: unknown field `name`": row(ASKED, {**SAID, "name": "Ann"}),
    "unknown field `available_tools`": row(ASKED, SAID, available_tools="[]"),
    "turn 1 of the model: neither text nor call": row(ASKED, message("assistant", None)),
    "expected at least one turn of the model": row(ASKED),
}


@pytest.mark.parametrize("problem", CORRUPT)
def test_a_corrupt_row_is_one_line_that_names_the_place(problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}") as error:
        import_stage.read("toucan", CORRUPT[problem])
    assert "\n" not in str(error.value)


def test_the_stage_counts_every_row_of_the_config(workplace):
    no_result = row(message("user", "Tide at East?"), call(quay="East"), SAID)
    irrelevant = row(message("user", "Fry an egg."), message("assistant", "I cannot."))
    unlisted = row(message("user", "Book at N."), call("book", quay="N"))
    missing = row(message("user", "Tide in 3 days?"), call(days=3))
    corrupt = [one for problem, one in CORRUPT.items() if "available_tools" not in problem]
    rows = [GOOD, no_result, irrelevant, unlisted, missing, *corrupt]
    hub = import_stage.publish(workplace / "hub", rows, "SFT/train-00000-of-00001.parquet", "SFT")
    done = import_stage.run(hub, "toucan", config="SFT", splits=["train"])
    assert done.metrics["kept_from_toucan"] == len(done.groups) == 3
    assert done.metrics["read_from_toucan"] == len(rows)
    cut = done.groups[1].trajectories[0].turns  # the call is trained, what follows is not
    assert cut[-1] == Assistant("call", calls=(Call(NAME, {"quay": "East"}),))
    assert done.reasons == {
        "unreadable": len(corrupt),
        "not_on_menu": 1,
        "missing_argument": 1,
    }
