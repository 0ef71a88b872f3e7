"""NESTFUL-derived tasks: references to earlier calls, in every order in which these can come."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent_tuning.records import BadInput
from benchmark.sources import nestful
from benchmark.tasks.suites import REFERENCE, GoldCall

LIMITS = nestful.Limits(max_tool_chars=800, max_query_chars=100, max_orders=6)
SPECS = [
    {
        "name": "find_city",
        "description": "Find a city.",
        "query_parameters": {
            "name": {"type": "string", "required": True},
            "unit": {"allowed_values": ["km", "mile"], "default_value": "km"},
            "day": {"type": "Date (yyyy-mm-dd)"},
        },
        "output_parameters": {"id": {"type": "string"}, "population": {}},
    },
    {
        "name": "distance",
        "description": "Between two cities.",
        "query_parameters": {"cities": {"type": "array", "items": {"type": "string"}}},
        "output_parameters": {},
    },
]
OSLO = {"name": "find_city", "arguments": {"name": "Oslo", "unit": "km"}, "label": "var1"}
ROME = {"name": "find_city", "arguments": {"name": "Rome"}, "label": "var2"}
BETWEEN = {
    "name": "distance",
    "arguments": {"cities": ["$var1.id$", "$var2.id$"]},
    "label": "var3",
}
RESULT = {"name": "var_result", "arguments": {"far": "$var3$"}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "towns-spec.json").write_text(json.dumps(SPECS))
    return tmp_path


def items(folder: Path, *output: dict[str, Any], query: str = "How far?") -> Any:
    usable = {"input": "Oslo to Rome", "output": [OSLO, ROME, BETWEEN, RESULT]}
    entries = [usable, {"input": query, "output": list(output)}] if output else [usable]
    (folder / "towns-data.json").write_text(json.dumps(entries))
    return nestful.build_items(folder, LIMITS)


def test_an_item_is_the_calls_without_the_entry_that_gathers_results(folder: Path) -> None:
    [item], dropped = items(folder)
    assert not dropped
    assert [call.name for call in item.golds] == ["find_city", "find_city", "distance"]
    assert item.golds[0] == GoldCall("find_city", {"name": ("Oslo",), "unit": ("km",)}, ("unit",))
    assert item.query == f"Oslo to Rome\n\n{nestful.REFERENCE_INSTRUCTION}"


def test_tools_say_what_they_return_and_their_types_are_those_of_json_schema(folder: Path) -> None:
    [item], _ = items(folder)
    city, _ = item.tools
    assert city.description == "Find a city. Returns id, population."
    assert city.parameters["properties"] == {
        "name": {"type": "string"},
        "unit": {"enum": ["km", "mile"]},
        "day": {},
    }
    assert city.parameters["required"] == ["name"]


def test_independent_calls_may_come_in_either_order_and_references_follow(folder: Path) -> None:
    [item], _ = items(folder)
    first, second = nestful.list_orders(item.golds)
    assert [call.arguments["name"][0] for call in second[:2]] == ["Rome", "Oslo"]
    assert first[2].arguments == {"cities": (["$var1.id$", "$var2.id$"],)}
    assert second[2].arguments == {"cities": (["$var2.id$", "$var1.id$"],)}


def step(number: int, tool: str = "find_city", /, **arguments: Any) -> dict[str, Any]:
    return {"name": tool, "arguments": arguments, "label": f"var{number}"}


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ([step(1, name="Oslo")], "fewer than two calls"),
        ([step(1, name="A"), step(3, name="B")], "labels are not var1, var2, … in order"),
        ([step(1, name="A"), step(2, "lost")], "gold calls a tool that is not specified"),
        ([step(1, name="A"), step(2)], "gold omits a required argument"),
        (
            [step(1, name="A"), step(2, name="B", mood="")],
            "gold has an argument that its tool does not declare",
        ),
        ([step(1, name="A"), step(2, name="B", unit="yard")], "gold does not fit its schema"),
        (
            [step(1, name="A"), step(2, name="$var2.id$")],
            "gold refers to a field that no earlier call returns",
        ),
        (
            [step(1, name="A"), step(2, name="$var1.age$")],
            "gold refers to a field that no earlier call returns",
        ),
        (
            [step(number, name=f"City {number}") for number in range(1, 5)],
            "more than max_orders valid orders of calls",
        ),
    ],
)
def test_what_cannot_be_used_is_counted_by_reason(
    folder: Path, output: list[dict[str, Any]], reason: str
) -> None:
    kept, dropped = items(folder, *output)
    assert (len(kept), dropped) == (1, {reason: 1})


def test_a_query_asked_twice_stays_once(folder: Path) -> None:
    kept, dropped = items(folder, OSLO, ROME, BETWEEN, query="oslo to rome")
    assert (len(kept), dropped) == (1, {"query repeats another": 1})


@pytest.mark.parametrize("text", ["[{}]", "{", "[1]"])
def test_a_broken_file_is_named(folder: Path, text: str) -> None:
    (folder / "towns-data.json").write_text(text)
    with pytest.raises(BadInput, match=r"towns-data\.json: "):
        nestful.build_items(folder, LIMITS)


def test_a_folder_without_files_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"expected usable \*-data\.json"):
        nestful.build_items(tmp_path, LIMITS)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("$var1$", [("1", None)]),
        ("$var12.first_name$", [("12", "first_name")]),
        ("$var1.hits[0].id$", [("1", "hits")]),
        ("$var1.a$ and $var2.b$", [("1", "a"), ("2", "b")]),
        ("$5 for var1", []),
    ],
)
def test_a_reference_names_a_call_and_a_field(
    text: str, parts: list[tuple[str, str | None]]
) -> None:
    assert [
        (reference["call"], reference["field"]) for reference in REFERENCE.finditer(text)
    ] == parts
