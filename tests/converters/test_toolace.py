"""ToolACE's dialogues, in their published shape: tools in the system text, calls in brackets."""

import json
import re
from typing import Any

import pytest

from agent_tuning.converters import bracket_calls
from agent_tuning.records import Assistant, Call, ToolResult, User
from tests.support import import_stage

TIDES = {
    "name": "Harbour Tides (v2)",
    "description": "Tides of a harbour.",
    "parameters": {
        "type": "dict",
        "properties": {
            "from": {"type": "string", "description": "First day."},
            "harbour": {"type": "str"},
            "least": {"type": "float"},
        },
        "required": ["harbour"],
    },
    "required": None,
}
BERTH = {
    "name": "berths.book",
    "description": "Books a berth.",
    "parameters": {"type": "dict", "properties": {"nights": {"type": "int"}}, "required": []},
}


def system(tools: Any, before: str = "You compose functions.") -> str:
    text = tools if isinstance(tools, str) else json.dumps(tools)
    return (
        f"{before} Here are functions:\n{text}. \nAnswer as [func1(name=value), func2(name)]\n"
        "Fulfil the request within the current turn."
    )


def says(*texts: str) -> list[dict[str, str]]:
    """A dialogue of user and assistant in turn; `->` begins the result of a tool."""
    said = []
    speakers = ["user", "assistant"] * len(texts)
    for text in texts:
        tool = text.startswith("->")
        said.append({"from": "tool" if tool else speakers.pop(0), "value": text.removeprefix("->")})
        if tool:
            speakers = ["assistant", "user"] * len(texts)
    return said


def row(*texts: str, tools: Any = (TIDES, BERTH), **fields: Any) -> dict[str, Any]:
    return {"system": system(tools, **fields), "conversations": says(*texts)}


BOTH = '[Harbour Tides (v2)(harbour="Hull, \\"old\\" dock", from="2024-05-01", least=-0.5), ' \
    "berths.book(nights=2)]"  # fmt: skip
RESULTS = json.dumps(
    [
        {"name": "berths.book", "results": {"booked": True}},
        {"name": "Harbour Tides (v2)", "results": [4.5, 5]},
    ]
)
DATED = "You compose functions. Today is 2024-05-01, Wednesday."
GOOD = row("Tides and a berth?", f"I look. {BOTH}", f"->{RESULTS}", "Booked.", before=DATED)
NAMES = ("Harbour_Tides_v2_", "berths.book")


def test_a_row_becomes_turns_with_calls_and_the_results_of_their_names():
    group = import_stage.read("toolace", GOOD)
    (trajectory,) = group.trajectories
    arguments = {"harbour": 'Hull, "old" dock', "from": "2024-05-01", "least": -0.5}
    assert trajectory.turns == (
        User("Today is 2024-05-01, Wednesday.\n\nTides and a berth?"),
        Assistant("call", "I look.", (Call(NAMES[0], arguments), Call(NAMES[1], {"nights": 2}))),
        ToolResult(NAMES[0], [4.5, 5]),
        ToolResult(NAMES[1], {"booked": True}),
        Assistant("no_call", text="Booked."),
    )
    assert tuple(tool.name for tool in group.tools) == NAMES
    assert group.tools[0].parameters == {
        "type": "object",
        "properties": {
            "from": {"type": "string", "description": "First day."},
            "harbour": {"type": "string"},
            "least": {"type": "number"},
        },
        "required": ["harbour"],
    }


@pytest.mark.parametrize(
    ("calls", "value", "results"),
    [
        ("[berths.book()]", '[{"name": "berths.book", "results": 7}]', [7]),
        ("[berths.book()]", '[{"free": 1}, {"free": 2}]', [[{"free": 1}, {"free": 2}]]),
        ("[berths.book()]", '[{"free": 1}]', [[{"free": 1}]]),
        ("[berths.book()]", "booked", ["booked"]),
        ("[berths.book(), berths.book(nights=2)]", "[1, 2]", [1, 2]),
    ],
)
def test_results_are_read_as_the_tools_gave_them(calls, value, results):
    group = import_stage.read("toolace", row("A berth?", calls, f"->{value}", "Done."))
    found = [one.content for one in group.trajectories[0].turns if isinstance(one, ToolResult)]
    assert found == results


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("'it\\'s, (one)'", "it's, (one)"),
        ("[1, 'a', (2, 3)]", [1, "a", [2, 3]]),
        ('{"a": {"b": true}}', {"a": {"b": True}}),
        ("None", None),
        ("false", False),
        ('"\\d+"', "\\d+"),
    ],
)
def test_a_value_is_one_of_python_or_json(written, value):
    (call,) = bracket_calls.read(f"[A b(x={written})]", ["A b"], "here")
    assert call == Call("A b", {"x": value})


@pytest.mark.parametrize("text", ["[1, 2]", "[The tides](http://x.org) rise.", "[sic] It rises."])
def test_brackets_without_a_call_are_an_answer(text):
    group = import_stage.read("toolace", row("Tides?", text))
    assert group.trajectories[0].turns[-1] == Assistant("no_call", text=text)


def calling(text: str) -> dict[str, Any]:
    return row("A berth?", text)


CORRUPT = {
    "system: expected a list of tools in JSON": row("A berth?", "No.", tools="none"),
    "system: expected JSON": row("A berth?", "No.", tools='[{"name": "a", }]'),
    "system: 0.name: this key appears twice": row("A?", "No.", tools='[{"name": 1, "name": 2}]'),
    "tools.0: unknown field `outputs`": row("A?", "No.", tools=[{**BERTH, "outputs": {"a": 1}}]),
    **{
        f"conversations.1.value: expected [Name(key=\"value\")], found {text!r}": calling(text)
        for text in (
            "[berths.book(nights=)]",
            "[berths.book(nights=two)]",
            "[berths.book(2)]",
            "[berths.book(nights=2, nights=3)]",
            "[berths.book(nights=2",
            "[berths.book(nights='2)]",
            "[berths.book()] Done.",
            "[berths.book(); other()]",
            "[berths.book(nights={1, 2})]",
            "[berths.book(nights=1e999)]",
        )
    },
    "conversations.2.value: no result of berths.book": row(
        "A?", "[berths.book()]", '->[{"name": "ferry", "results": 1}]', "Done."
    ),
    "conversations.2.value: 2 observations for 1 calls": row(
        "A?", "[berths.book()]",
        f"->{json.dumps([{'name': 'berths.book', 'results': n} for n in (1, 2)])}", "Done.",
    ),
    "conversations.2.value: 1 observations for 0 calls": row("A?", "Hm.", "->1", "Done."),
    "conversations.0.from: unknown speaker 'human'": {
        "system": system([BERTH]), "conversations": [{"from": "human", "value": "A?"}],
    },
    "unknown field `score`": {**GOOD, "score": 1},
}  # fmt: skip


@pytest.mark.parametrize("problem", CORRUPT)
def test_a_row_that_cannot_be_read_is_one_line_that_names_the_place(problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}") as error:
        import_stage.read("toolace", CORRUPT[problem])
    assert "\n" not in str(error.value)


def test_the_stage_trains_calls_without_results_and_counts_the_rest(workplace):
    no_result = row("A berth for 2 nights.", "[berths.book(nights=2)]", "It is booked.")
    asks = row("Tides?", "Of which harbour?")
    unlisted = row("Fry an egg.", "[Frying Pan(eggs=1)]")
    wrong = row("A berth, please.", '[berths.book(nights="two")]')
    corrupt = list(CORRUPT.values())[:-2]  # a table gives all rows the same fields
    rows = [GOOD, no_result, asks, unlisted, wrong, *corrupt]
    hub = import_stage.publish(workplace / "hub" / "ToolACE", rows, "data/data.json")
    done = import_stage.run(hub, "toolace", splits=["train"])
    turns = [group.trajectories[0].turns for group in done.groups]
    assert len(turns) == done.metrics["kept_from_toolace"] == 3
    assert turns[1][-1] == Assistant("call", calls=(Call("berths.book", {"nights": 2}),))
    assert turns[2][-1] == Assistant("ask", text="Of which harbour?")
    assert done.reasons == {"unreadable": len(corrupt), "not_on_menu": 1, "schema": 1}
