"""API-Bank's dialogues, in its published shape: one decision a row, with a person's sentence."""

import json
from typing import Any

import pytest

from agent_tuning.converters import api_bank, load, row_fields
from agent_tuning.records import Assistant, Call, Group, ToolResult, User

BERTH = {
    "name": "BookBerth",
    "description": "Books a berth.",
    "input_parameters": {
        "port": {"type": "str", "description": "The port."},
        "nights": {"type": "int", "description": "How many nights."},
    },
    "output_parameters": {"status": {"type": "str", "description": "Booked or not."}},
}
TIDE = {"apiCode": "Tide", "description": "Tide.", "parameters": {"port": {"type": "str"}}}
INSTRUCTION = "\nGenerate an API request in the format of [ApiName(key1='value1')].\n" \
    "The current year is 2023.\nInput: \nUser: User's utterence\nAI: AI's response\n\n" \
    f"API descriptions:\n{json.dumps(BERTH)}\n{json.dumps(TIDE)}"  # fmt: skip
DIALOGUE = """User: I need a berth.
AI: In which port,
and for how long?
User: In Hull, for two nights.
AI: I look at the tide first.
API-Request: [Tide(port='Hull')]->{'high': 4.5, 'at': ['09:10']}
AI: Now I book it.
Generate API Request:
"""
ROW = {
    "file": "BookBerth-level-1-1.jsonl",
    "id": 2,
    "instruction": INSTRUCTION,
    "input": DIALOGUE,
    "expected_output": "API-Request: [BookBerth(port='Hull', nights=2)]",
}


def read(row: dict[str, Any]) -> Group:
    return api_bank.read(row_fields.convert(row, api_bank.Row))


def test_a_row_is_a_dialogue_whose_last_decision_is_trained():
    group = read(ROW)
    assert group.trajectories[0].turns == (
        User("The current year is 2023.\n\nI need a berth."),
        Assistant("no_call", text="In which port,\nand for how long?", trained=False),
        User("In Hull, for two nights."),
        Assistant(
            "call", "I look at the tide first.", (Call("Tide", {"port": "Hull"}),), trained=False
        ),
        ToolResult("Tide", {"high": 4.5, "at": ["09:10"]}),
        Assistant("call", "Now I book it.", (Call("BookBerth", {"port": "Hull", "nights": 2}),)),
    )
    assert [tool.name for tool in group.tools] == ["BookBerth", "Tide"]
    assert group.tools[0].parameters["required"] == ["port", "nights"]


def test_tools_may_stand_before_the_dialogue_and_the_decision_may_be_an_answer():
    row = {
        "instruction": "Answer.",
        "input": f"{json.dumps(TIDE)}\nUser: Tide at Hull?TIME: 2034-04-15 10:00:00\n"
        "API-Request: [Tide(port='Hull')]->high\nGenerate Response: ",
        "output": "AI: It is high.",
    }
    *_, result, answer = read(row).trajectories[0].turns
    assert (result, answer) == (
        ToolResult("Tide", "high"),
        Assistant("no_call", text="It is high."),
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"expected_output": ""}, "output: expected the decision"),
        ({"expected_output": "Book it."}, "output: expected AI: or API-Request:"),
        (
            {"expected_output": "API-Request: [BookBerth('Hull')]"},
            r"expected \[Name\(key='value'\)",
        ),
        ({"expected_output": "API-Request: [BookBerth(port=open('x'))]"}, r"expected \[Name\(key="),
        *(
            (
                {"expected_output": f"API-Request: [BookBerth({given})]"},
                r"API-Request: expected \[N",
            )
            for given in (
                *("port='Hull', port='Dover'", "**{'port': 'Hull'}", "port={'a': 1, 'a': 2}"),
                *("port={'Hull'}", "port=b'Hull'", "port=1j", "port=...", "port={(1, 2): 3}"),
            )
        ),
        ({"instruction": INSTRUCTION + '\n{"name": "a", "inputs": {"x": 1}}'}, "unknown field"),
        ({"instruction": INSTRUCTION + '\n{"name": '}, "instruction: line 11: expected JSON"),
    ],
)
def test_a_row_that_is_none_of_its_shape_is_one_line(changes, problem):
    with pytest.raises(ValueError, match=problem):
        read(ROW | changes)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("{'high': -4.5, 'at': (1, None)}", {"high": -4.5, "at": [1, None]}),
        ("4.5", 4.5),
        ("3.10", "3.10"),
        ("{1: 2}", "{1: 2}"),
        ("None", "None"),
        ("true", True),
    ],
)
def test_a_result_is_a_value_of_json_or_its_text(written, value):
    asked = f"User: Tide?\nAPI-Request: [Tide(port='Hull')]->{written}\n"
    result = read(ROW | {"input": asked, "expected_output": "AI: Yes."}).trajectories[0].turns[-2]
    assert result == ToolResult("Tide", value)


def test_a_published_file_is_read_as_a_source(tmp_path):
    path = tmp_path / "level-1-api.json"
    path.write_text(json.dumps([ROW, ROW | {"id": 3}]))
    assert len(list(load.read_rows("api_bank", str(path)))) == 2
