"""BFCL-derived tasks: real JSON Schema, sound golds, and tool lists where one tool is right."""

from collections import Counter
from dataclasses import replace
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from agent_tuning.quality.word_overlap import ToolSimilarity, subject_words
from agent_tuning.records import BadInput, Tool
from benchmark.sources import bfcl, distractors
from benchmark.tasks.suites import GoldCall, Suite

LIMITS = bfcl.Limits(max_tool_chars=600, max_query_chars=200, max_accepted=8)
MENUS = distractors.DistractorsConfig(
    seed=1,
    calls_per_group=4,
    no_calls_per_group=2,
    tools_per_prompt=8,
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
    return bfcl.build_items(questions, {gold.id: gold for gold in golds}, LIMITS)[1]


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
    assert bfcl.convert_schema(theirs) == ours
    assert jsonschema_rs.meta.is_valid(ours)


# ---- golds ------------------------------------------------------------------------------------


def gold(schema: dict[str, Any], *accepted: Any) -> GoldCall:
    converted = bfcl.convert_tool(tool("f", x=schema), LIMITS.max_tool_chars)
    return bfcl.convert_gold(converted, {"x": accepted}, LIMITS.max_accepted)


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
        (
            {"type": "dict"},
            [{"a": [1, 2, 3], "b": [1, 2, 3]}],
            "gold accepts more than max_accepted objects",
        ),
    ],
)
def test_a_gold_that_cannot_be_read_says_why(
    schema: dict[str, Any], accepted: list[Any], reason: str
) -> None:
    with pytest.raises(bfcl.UnusableItem, match=f"^{reason}$"):
        gold(schema, *accepted)


# ---- items ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dropped", "reason"),
    [
        (question("a", "hi"), "no tools offered"),
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


def test_a_question_needs_gold_calls_of_offered_tools() -> None:
    query = question("a", "hi", tool("f"))
    assert reasons(query, golds=(bfcl.Answer("a", ()),)) == {"gold is not a list of calls": 1}
    other = answer("a", "g", x=[1])
    assert reasons(query, golds=(other,)) == {"gold calls a tool that is not offered": 1}


def test_a_query_that_is_both_a_call_and_a_no_call_is_neither() -> None:
    call, no_call = question("a", "Roll it!", tool("f")), question("b", "roll it", tool("g"))
    dropped = reasons(call, no_call, golds=(answer("a", "f", x=[1]),))
    assert dropped == {"query is both a call and a no-call": 2}


def test_a_no_call_whose_tools_are_unusable_still_contradicts_its_call() -> None:
    call = question("a", "Roll it!", tool("f"))
    dropped = reasons(call, question("b", "roll it"), golds=(answer("a", "f", x=[1]),))
    assert dropped == {"query is both a call and a no-call": 1, "no tools offered": 1}


def test_of_equal_queries_the_first_id_stays() -> None:
    twice = [question(name, "Roll it", tool("f")) for name in ("b", "a")]
    kept, dropped = bfcl.build_items(twice, {}, LIMITS)
    assert [item.id for item in kept] == ["a"]
    assert dropped == {"query repeats another": 1}


# ---- tool lists ------------------------------------------------------------------------------


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
    return bfcl.build_items(questions, answers, LIMITS)[0]


@pytest.fixture(scope="module")
def suite() -> Suite:
    return distractors.derive_suite("bfcl", corpus(), MENUS)[0]


def test_every_item_is_asked_once_in_groups_of_at_most_four_calls_and_two_no_calls(
    suite: Suite,
) -> None:
    assert {task.id for task in suite.tasks} == {f"bfcl/{item.id}" for item in corpus()}
    assert len({task.id for task in suite.tasks}) == len(suite.tasks)
    kinds = Counter((task.prompt, task.kind) for task in suite.tasks)
    most = {"call": MENUS.calls_per_group, "irrelevant": MENUS.no_calls_per_group}
    assert all(count <= most[kind] for (_, kind), count in kinds.items())
    assert kinds["bfcl/g000", "call"] == 4
    assert kinds["bfcl/g000", "irrelevant"] == 2
    assert {task.prompt for task in suite.tasks} == suite.prompts.keys()
    assert all(len(set(prompt.tools)) == 8 for prompt in suite.prompts.values())


def test_a_no_call_may_be_declined_or_asked_about(suite: Suite) -> None:
    decisions = {task.kind: [gold.decision for gold in task.golds] for task in suite.tasks}
    assert decisions == {"call": ["call"], "irrelevant": ["no_call", "ask"]}


def similarity() -> dict[tuple[str, str], float]:
    tools = distractors.key_tools(corpus())
    matrix = ToolSimilarity(tools.values()).similarity()
    return {(a, b): matrix[i, j] for i, a in enumerate(tools) for j, b in enumerate(tools)}


def test_near_duplicates_come_first(suite: Suite) -> None:
    like = similarity()
    for task in suite.tasks:
        if task.kind == "call" and task.prompt == "bfcl/g000":  # later ones take what is left over
            right = task.golds[0].calls[0].name
            listed = suite.prompts[task.prompt].tools
            assert max(like[right, name] for name in listed if name != right) > 0


def test_no_menu_has_two_tools_that_would_both_answer(suite: Suite) -> None:
    like = similarity()
    for prompt in suite.prompts.values():
        pairs = [like[a, b] for i, a in enumerate(prompt.tools) for b in prompt.tools[i + 1 :]]
        assert max(pairs) <= MENUS.ambiguous


def test_neither_the_order_of_items_nor_of_tools_changes_the_suite(suite: Suite) -> None:
    again, _ = distractors.derive_suite("bfcl", corpus()[::-1], MENUS)
    assert again == suite
    assert list(again.tools) == list(suite.tools)


def test_another_seed_gives_another_suite(suite: Suite) -> None:
    other, _ = distractors.derive_suite("bfcl", corpus(), msgspec.structs.replace(MENUS, seed=2))
    assert other != suite


def test_formats_rotate_over_the_groups(suite: Suite) -> None:
    used = Counter(prompt.tool_format for prompt in suite.prompts.values())
    assert max(used.values()) - min(used.values()) <= 1
    assert used.keys() == {"f1", "f2", "f3"}
    assert {prompt.template for prompt in suite.prompts.values()} == {"t1", "t2"}


def test_too_few_tools_for_a_menu_are_an_error() -> None:
    few = [item for item in corpus() if item.id.endswith("violin_price")]
    with pytest.raises(BadInput, match=r"^bfcl: 2 questions give no list of 8 tools; lower suites"):
        distractors.derive_suite("bfcl", few, MENUS)


def test_tools_of_one_name_differ_in_their_key_and_the_most_frequent_one_has_the_name() -> None:
    usual, rare = tool("f", "usual"), tool("f", "rare")
    items = [
        bfcl.Item(str(number), f"q{number}", (offered,), (GoldCall("f"),))
        for number, offered in enumerate([rare, usual, usual])
    ]
    assert distractors.key_tools(items) == {"f": usual, "f@2": rare}


def test_parameters_stay_in_their_authors_order() -> None:
    fields = {name: {"type": "string"} for name in ("to", "from", "at")}
    (kept,) = distractors.key_tools([bfcl.Item("a", "?", (tool("f", **fields),), ())]).values()
    assert list(kept.parameters["properties"]) == ["to", "from", "at"]


def offering(*tools: Tool) -> distractors.GroupBuilder:
    item = bfcl.Item("a", "Will it rain?", tools, (GoldCall("weather"),))
    other = bfcl.Item("b", "Will it rain now?", (tool("current_weather"),), ())
    return distractors.GroupBuilder([item, other], distractors.key_tools([item, other]), MENUS)


def test_two_similar_tools_are_distinct_if_an_author_offers_both() -> None:
    together, apart = (
        offering(*offered)
        for offered in ((tool("weather"), tool("current_weather")), (tool("weather"),))
    )
    for builder, distinct in ((together, True), (apart, False)):
        first, second = map(builder.keys.index, ("weather", "current_weather"))
        assert builder.distinct[first, second] == builder.distinct[second, first] == distinct


def test_the_tools_that_an_author_offered_beside_the_right_one_come_along() -> None:
    """They are what makes a tool list hard, and fair: a person said that they are wrong here."""
    beside = tool("rosin", "Rosin for a bow.")
    items = [
        replace(item, tools=(*item.tools, beside)) if item.id == "call_violin_price" else item
        for item in corpus()
    ]
    suite = distractors.derive_suite("bfcl", items, MENUS)[0]
    [mine] = [task for task in suite.tasks if task.id == "bfcl/call_violin_price"]
    assert "rosin" in suite.prompts[mine.prompt].tools


def test_several_calls_in_one_turn_bring_all_their_tools() -> None:
    price, owner = tool("comet_price"), tool("comet_owner")
    query = question("both", "Price and owner of comet 7", price, owner)
    gold = bfcl.Answer("both", ({"comet_price": {"x": (7,)}}, {"comet_owner": {"x": (7,)}}))
    [item] = bfcl.build_items([query], {"both": gold}, LIMITS)[0]
    [task] = [
        task
        for task in distractors.derive_suite("bfcl", [*corpus(), item], MENUS)[0].tasks
        if task.id == "bfcl/both"
    ]
    assert task.kind == "multi"
    assert [call.name for call in task.golds[0].calls] == ["comet_price", "comet_owner"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("lawyer_finder", "lawyer.search"),
        ("getUserInfos", "fetch_user_info"),
        ("calc_circle_area", "circle.area"),
    ],
)
def test_names_that_differ_in_their_verb_have_one_subject(first: str, second: str) -> None:
    assert subject_words(first) == subject_words(second)
