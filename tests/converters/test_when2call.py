"""When2Call's rows to train on, in their published shape: asks and refusals."""

import re
from typing import Any

import pytest

from agent_tuning.records import Assistant, User
from tests.support import import_stage

FERRY = {
    "name": "next_ferry",
    "description": "Next ferry from a quay.",
    "parameters": {
        "type": "dict",
        "properties": {
            "quay": {"description": "Which.", "type": "str", "default": ""},
            "days": {"description": "Which days.", "type": "List[int], optional"},
        },
    },
    "required": ["quay"],
}


def row(asked: str, said: str, tools: Any = (FERRY,), **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return {"tools": list(tools), "messages": messages, **fields}


ASKS = row("Next ferry?", "From which quay do you leave?")
REFUSES = row("Fry an egg.", "I'm sorry, I cannot cook.")


def test_a_row_becomes_a_request_and_a_reply_with_tools_of_json():
    group = import_stage.read("when2call", REFUSES)
    assert group.trajectories[0].turns == (
        User("Fry an egg."),
        Assistant("no_call", text="I'm sorry, I cannot cook."),
    )
    assert group.tools[0].parameters == {
        "type": "object",
        "properties": {
            "quay": {"description": "Which.", "type": "string", "default": ""},
            "days": {
                "description": "Which days.",
                "type": "array",
                "items": {"type": "integer"},
            },
        },
        "required": ["quay"],
    }


def beside(names: Any, **parameters: Any) -> dict[str, Any]:
    """A row whose tool requires these names, as it says beside its parameters."""
    return row("A?", "No.", [{"name": "a", "parameters": parameters, "required": names}])


CORRUPT = {
    "tools: none": row("Fry an egg.", "I cannot.", tools=[]),
    "tools.0: expected JSON": row("A?", "No.", tools=['{"name": ']),
    "tools.0.required: other names": beside(["b"], type="dict", properties={}, required=["c"]),
    "tools.0.required: expected it in the parameters": beside(["b"], b={"type": "str"}),
    "turn 1 of the model: '<TOOLCALL>' in its text": row("A?", '<TOOLCALL>[{"name": "a"}]'),
    "unknown field `rejected_response`": row("A?", "No.", rejected_response={"role": "assistant"}),
    "Invalid enum value 'tool'": {**ASKS, "messages": [{"role": "tool", "content": "9"}]},
}


@pytest.mark.parametrize("problem", CORRUPT)
def test_a_row_that_cannot_be_read_is_one_line_that_names_the_place(problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}"):
        import_stage.read("when2call", CORRUPT[problem])


def test_the_stage_keeps_asks_and_refusals_and_no_refusal_without_tools(workplace):
    protected = row(import_stage.PROTECTED.query, "Which quay?")
    undeclared = beside(["b"], type="dict", properties={"c": {"type": "str"}})
    rows = [ASKS, REFUSES, ASKS, protected, undeclared, CORRUPT["tools: none"]]
    hub = import_stage.publish(
        workplace / "hub", rows, "train/when2call_train_sft.jsonl", "train_sft"
    )
    done = import_stage.run(hub, "when2call", config="train_sft", splits=["train"])
    decisions = [group.trajectories[0].turns[-1].decision for group in done.groups]
    assert decisions == ["ask", "no_call"]
    assert not done.general
    assert done.reasons == dict.fromkeys(
        ("duplicate", "benchmark_overlap", "menu_schema", "unreadable"), 1
    )
