"""BFCL-derived tasks: real JSON Schema, sound golds, and menus where one tool is right."""

from collections import Counter
from dataclasses import replace
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from benchmark import bfcl, remenu
from benchmark.lexicon import Lexicon, subject
from benchmark.suites import GoldCall, Suite
from trajectory.records import BadInput, Tool

LIMITS = bfcl.Limits(max_tool_chars=600, max_query_chars=200, max_accepted=8)
MENUS = remenu.Menus(
    seed=1,
    groups=3,
    calls_per_group=4,
    no_calls_per_group=2,
    menu_size=8,
    ambiguous=0.35,
    answerable=0.45,
    templates=("t1", "t2"),
    tool_formats=("f1", "f2", "f3"),
    reply_formats=("r1",),
)
THINGS = (
    "violin",
    "glacier",
    "lawsuit",
    "recipe",
    "comet",
    "turbine",
    "passport",
    "orchid",
    "ledger",
    "tunnel",
)
DEEDS = ("price", "owner", "weight", "origin")


def tool(name: str, about: str = "", **properties: Any) -> Tool:
    schema = {"type": "dict", "properties": properties or {"x": {"type": "integer"}}}
    return Tool(name, about or f"About {name}.", schema)


def question(name: str, query: str, *tools: Tool, turns: int = 1) -> bfcl.Question:
    return bfcl.Question(name, (((bfcl.Message("user", query),) * turns),), tools)


def answer(name: str, called: str, **accepted: list[Any]) -> bfcl.Answer:
    return bfcl.Answer(name, ({called: {key: tuple(v) for key, v in accepted.items()}},))


def reasons(*questions: bfcl.Question, golds: tuple[bfcl.Answer, ...] = ()) -> Counter[str]:
    return bfcl.items(questions, {gold.id: gold for gold in golds}, LIMITS)[1]


# ---- schemas ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"type": "float"}, {"type": "number"}),
        ({"type": "any", "description": "d"}, {"description": "d"}),
        (
            {"type": "tuple", "items": {"type": "float"}},
            {"type": "array", "items": {"type": "number"}},
        ),
        (
            {"type": "dict", "properties": {"type": {"type": "dict", "optional": True}}},
            {"type": "object", "properties": {"type": {"type": "object"}}},
        ),
        (
            {"type": "string", "enum": ["a"], "default": "a", "optional": True},
            {"type": "string", "enum": ["a"], "default": "a"},
        ),
    ],
    ids=["float", "any", "tuple", "a property named type", "unknown keyword"],
)
def test_schemas_become_json_schema(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    assert bfcl.json_schema(theirs) == ours
    assert jsonschema_rs.meta.is_valid(ours)


# ---- golds ------------------------------------------------------------------------------------


def gold(schema: dict[str, Any], *accepted: Any) -> GoldCall:
    converted = bfcl.convert(tool("f", x=schema), LIMITS.max_tool_chars)
    return bfcl.gold_call(converted, {"x": accepted}, LIMITS.max_accepted)


@pytest.mark.parametrize(
    ("schema", "accepted", "expected"),
    [
        ({"type": "float"}, [5, 5.5], GoldCall("f", {"x": (5, 5.5)})),
        ({"type": "integer"}, [5, ""], GoldCall("f", {"x": (5,)}, ("x",))),
        ({"type": "string"}, ["a", ""], GoldCall("f", {"x": ("a", "")}, ("x",))),
        ({"type": "integer"}, [""], GoldCall("f")),
        ({"type": "string"}, ["a", 7, None], GoldCall("f", {"x": ("a", None)})),
        (
            {"type": "dict"},
            [{"a": [1, 2], "b": ["", 3]}],
            GoldCall("f", {"x": ({"a": 1}, {"a": 1, "b": 3}, {"a": 2}, {"a": 2, "b": 3})}),
        ),
    ],
    ids=["number", "omissible", "omissible or empty", "omitted", "unfitting value", "object"],
)
def test_accepted_values_are_those_that_fit_the_schema(
    schema: dict[str, Any], accepted: list[Any], expected: GoldCall
) -> None:
    assert gold(schema, *accepted) == expected


@pytest.mark.parametrize(
    ("schema", "accepted", "reason"),
    [
        ({"type": "integer"}, ["five"], "gold does not fit its schema"),
        ({"type": "array"}, [[{"a": [1]}]], "gold is nested too deep"),
        ({"type": "dict"}, [{"a": [{"b": [1]}]}], "gold is nested too deep"),
        ({"type": "dict"}, [{"a": [1, 2, 3], "b": [1, 2, 3]}], "gold stands for too many objects"),
    ],
)
def test_a_gold_that_cannot_be_read_says_why(
    schema: dict[str, Any], accepted: list[Any], reason: str
) -> None:
    with pytest.raises(bfcl.Unfit, match=f"^{reason}$"):
        gold(schema, *accepted)


# ---- items ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dropped", "reason"),
    [
        (question("a", "hi"), "empty menu"),
        (question("a", "hi", tool("f"), turns=2), "not a single user turn"),
        (question("a", " ?", tool("f")), "empty query"),
        (question("a", "天气", tool("f")), "query not in Latin script"),
        (question("a", "word " * 50, tool("f")), "query too long"),
        (question("a", "hi", tool("f", "word " * 200)), "tool too long"),
        (question("a", "hi", tool("f", x={"type": "text"})), "tool has no valid JSON Schema"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_unusable_question_is_counted_by_reason(dropped: bfcl.Question, reason: str) -> None:
    assert reasons(dropped) == {reason: 1}


def test_a_question_needs_exactly_one_gold_call_of_an_offered_tool() -> None:
    asked = question("a", "hi", tool("f"))
    assert reasons(asked, golds=(bfcl.Answer("a", ()),)) == {"not exactly one gold call": 1}
    other = answer("a", "g", x=[1])
    assert reasons(asked, golds=(other,)) == {"gold calls a tool that is not offered": 1}


def test_a_query_that_is_both_a_call_and_a_no_call_is_neither() -> None:
    call, no_call = question("a", "Roll it!", tool("f")), question("b", "roll it", tool("g"))
    found = reasons(call, no_call, golds=(answer("a", "f", x=[1]),))
    assert found == {"query is both a call and a no-call": 2}


def test_a_no_call_whose_tools_are_unusable_still_contradicts_its_call() -> None:
    call = question("a", "Roll it!", tool("f"))
    found = reasons(call, question("b", "roll it"), golds=(answer("a", "f", x=[1]),))
    assert found == {"query is both a call and a no-call": 1, "empty menu": 1}


def test_of_equal_queries_the_first_id_stays() -> None:
    twice = [question(name, "Roll it", tool("f")) for name in ("b", "a")]
    kept, dropped = bfcl.items(twice, {}, LIMITS)
    assert [item.id for item in kept] == ["a"]
    assert dropped == {"query repeats another": 1}


# ---- menus ------------------------------------------------------------------------------------


def corpus() -> list[bfcl.Item]:
    """Four tools per thing: its price, owner, weight and origin; each with a call and a no-call."""
    questions: list[bfcl.Question] = []
    answers: dict[str, bfcl.Answer] = {}
    for thing in THINGS:
        for deed in DEEDS:
            name = f"{thing}_{deed}"
            offered = tool(name, f"Tell the {deed} that a {thing} has.")
            questions += [
                question(f"call_{name}", f"The {deed} of {thing} 7, please", offered),
                question(f"none_{name}", f"Sing me a {deed} song, number {len(answers)}", offered),
            ]
            answers[f"call_{name}"] = answer(f"call_{name}", name, x=[7])
    return bfcl.items(questions, answers, LIMITS)[0]


@pytest.fixture(scope="module")
def suite() -> Suite:
    return remenu.derive("bfcl", corpus(), MENUS)[0]


def test_a_group_is_four_calls_and_two_no_calls_over_one_menu_of_eight(suite: Suite) -> None:
    kinds = Counter((task.group, task.kind) for task in suite.tasks)
    groups = ["bfcl/g000", "bfcl/g001", "bfcl/g002"]
    assert kinds == {(g, k): n for g in groups for k, n in (("call", 4), ("irrelevant", 2))}
    for group in groups:
        [prompt] = {task.prompt for task in suite.tasks if task.group == group}
        assert len(set(prompt[0])) == 8  # type: ignore[call-overload]
    assert len({task.id for task in suite.tasks}) == 18


def test_a_no_call_may_be_declined_or_asked_about(suite: Suite) -> None:
    decisions = {task.kind: [gold.decision for gold in task.golds] for task in suite.tasks}
    assert decisions == {"call": ["call"], "irrelevant": ["no_call", "ask"]}


def test_near_duplicates_come_first(suite: Suite) -> None:
    lexicon = Lexicon(tool for item in corpus() for tool in item.tools)
    for task in suite.tasks:
        if task.kind == "call":
            right = task.golds[0].calls[0].name
            assert max(lexicon.likeness(right, name) for name in task.menu if name != right) > 0


def test_no_menu_has_two_tools_that_would_both_answer(suite: Suite) -> None:
    lexicon = Lexicon(tool for item in corpus() for tool in item.tools)
    for task in suite.tasks:
        menu = list(task.menu)
        likeness = [lexicon.likeness(a, b) for i, a in enumerate(menu) for b in menu[i + 1 :]]
        assert max(likeness) <= MENUS.ambiguous


def test_neither_the_order_of_items_nor_of_tools_changes_the_suite(suite: Suite) -> None:
    again, _ = remenu.derive("bfcl", corpus()[::-1], MENUS)
    assert again == suite
    assert list(again.tools) == list(suite.tools)


def test_another_seed_gives_another_suite(suite: Suite) -> None:
    other, _ = remenu.derive("bfcl", corpus(), msgspec.structs.replace(MENUS, seed=2))
    assert other != suite


def test_formats_rotate_over_the_groups(suite: Suite) -> None:
    groups = {task.group: task for task in suite.tasks}.values()
    assert Counter(task.tool_format for task in groups) == {"f1": 1, "f2": 1, "f3": 1}
    assert {task.template for task in groups} == {"t1", "t2"}


def test_too_few_items_say_how_many_groups_they_make() -> None:
    few = [item for item in corpus() if "violin" in item.id or "comet" in item.id]
    with pytest.raises(BadInput, match=r"^bfcl: groups: 16 items make \d, not 3$"):
        remenu.derive("bfcl", few, MENUS)


def test_a_no_call_never_fills_the_place_of_a_call() -> None:
    few = [item for item in corpus() if item.gold is None or item.id == "call_violin_price"]
    with pytest.raises(BadInput, match=r"items make 0, not 3$"):
        remenu.derive("bfcl", few, MENUS)


def test_of_two_schemas_under_one_name_the_more_usual_stays() -> None:
    usual, rare = tool("f", "usual"), tool("f", "rare")
    items = [
        bfcl.Item(str(number), f"q{number}", (offered,), GoldCall("f"))
        for number, offered in enumerate([rare, usual, usual])
    ]
    assert remenu.one_schema_per_name(items) == {"f": usual}


def test_an_author_who_offers_two_like_tools_has_told_them_apart() -> None:
    one, other = tool("weather"), tool("current_weather")
    item = bfcl.Item("a", "Will it rain?", (one, other), GoldCall("weather"))
    tools = {offered.name: offered for offered in (one, other)}
    together = remenu.Grouping([item], tools, MENUS)
    apart = remenu.Grouping([replace(item, tools=(one,))], tools, MENUS)
    assert together._distinct(one.name, other.name)
    assert not apart._distinct(one.name, other.name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("lawyer_finder", "lawyer.search"),
        ("getUserInfos", "fetch_user_info"),
        ("calc_circle_area", "circle.area"),
    ],
)
def test_names_that_differ_in_their_verb_have_one_subject(one: str, other: str) -> None:
    assert subject(one) == subject(other)
