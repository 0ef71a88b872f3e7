"""A gold in a form: what goes in comes out, and what is wrong is said beside its field."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.annotation.review import diff, editing, gold_form
from benchmark.annotation.review import value_text as accepted_values
from benchmark.tasks.suites import Gold, GoldCall
from tests.support import annotation_data

GOLD = annotation_data.task("Oslo").golds[0]
AWKWARD = [
    "",
    " ",
    '"',
    "two\nlines",
    "tab\t",
    "\u202eleft",
    "\x1b[31mred",
    "12",
    "null",
    "北京 ",
    "a\u00a0b",
]
TEXTS = st.one_of(st.sampled_from(AWKWARD), st.text(max_size=8))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def posted(forms):
    """What a browser sends for a form, as it draws it: with CR LF, unticked boxes left out."""
    form = {}
    for gold in forms:
        form[f"{gold.field}.decision"] = gold.decision
        form[f"{gold.field}.thought"] = gold.thought
        for call in gold.calls:
            form[f"{call.field}.tool"] = call.name
            for argument in call.arguments:
                form[argument.field] = argument.lines.replace("\n", "\r\n")
                form |= {f"{argument.field}.optional": "1"} if argument.optional else {}
    return form


def edited(**changes):
    return posted(gold_form.fill_form([GOLD], annotation_data.TOOLS)) | changes


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(st.just("string"), st.lists(TEXTS, min_size=1, max_size=3))
    | st.tuples(
        st.sampled_from(["integer", "array", "any"]), st.lists(JSON, min_size=1, max_size=3)
    )
)
def test_values_come_out_of_a_box_as_they_went_in(typed):
    type, accepted = typed
    lines = accepted_values.format_values(accepted, type)
    assert repr(accepted_values.parse_values(lines, type)) == repr(tuple(accepted))
    assert all(char == "\n" or char.isprintable() for char in lines)


@pytest.mark.parametrize(
    "golds",
    [
        [GOLD],
        [Gold("no_call", "Reply.")],
        [GOLD, Gold("ask", "Ask how long.")],
        [Gold("call", "Two.", (GOLD.calls[0], GoldCall("get_weather", {"city": ("Oslo",)})))],
        [Gold("call", "", (GoldCall("get_time", {"city": ("a", "b\n", "")}, ("city",)),))],
    ],
    ids=["call", "no call", "two golds", "two calls", "accepted values"],
)
def test_a_gold_comes_out_of_the_form_as_it_went_in(golds):
    parsed = editing.parse_form(
        posted(gold_form.fill_form(golds, annotation_data.TOOLS)), annotation_data.TOOLS
    )
    assert parsed.problems == {}
    assert list(parsed.golds) == golds


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"0.0.days": "three"}, "0.0.days", "expected JSON of type integer: three"),
        ({"0.0.days": '"3"'}, "0.0.days", 'is not of type "integer"'),
        ({"0.0.days": "3\n0"}, "0.0.days", "0 is less than the minimum"),
        ({"0.0.days": ""}, "0.0.days", "required"),
        ({"0.0.city": "X"}, "0.0.city", "shorter than 2"),
        ({"0.0.stops": "[1]"}, "0.0.stops", 'is not of type "string"'),
        ({"0.0.tool": ""}, "0.0.tool", "choose the tool"),
        ({"0.0.tool": "get_moon"}, "0.0.tool", "not in the tool list"),
        ({"0.thought": "a\r\nb"}, "0.thought", "one line"),
        ({"0.decision": ""}, "form", "at least one"),
    ],
)
def test_a_problem_names_its_field(changes, field, problem):
    parsed = editing.parse_form(edited(**changes), annotation_data.TOOLS)
    assert problem in parsed.problems[field]
    assert len(parsed.problems) == 1


def test_another_tool_brings_its_own_fields():
    form, *_ = editing.parse_form(
        edited(**{"0.0.tool": "get_weather"}), annotation_data.TOOLS
    ).forms
    assert [argument.name for argument in form.calls[0].arguments] == ["city"]


def test_an_answer_and_a_call_can_be_added_and_taken_away():
    more = edited(
        **{"1.decision": "ask", "1.thought": "Ask.", "0.1.tool": "get_time", "0.1.city": "Oslo"}
    )
    parsed = editing.parse_form(more, annotation_data.TOOLS)
    assert [gold.decision for gold in parsed.golds] == ["call", "ask"]
    assert [call.name for call in parsed.golds[0].calls] == ["plan_trip", "get_time"]
    fewer = editing.parse_form(more | {"0.decision": ""}, annotation_data.TOOLS)
    assert [gold.decision for gold in fewer.golds] == ["ask"]


def test_a_field_of_no_tool_is_not_heard():
    parsed = editing.parse_form(
        edited(**{"0.0.price": "9", "x.decision": "call"}), annotation_data.TOOLS
    )
    assert parsed.golds == (GOLD,)


def test_the_changes_are_those_against_the_draft():
    parsed = editing.parse_form(edited(**{"0.0.days": "3\n4"}), annotation_data.TOOLS)
    draft = annotation_data.task("Oslo", gold=GOLD)
    corrected = msgspec.structs.replace(draft, golds=parsed.golds)
    changed = [pair for pair in diff.diff_lines(draft, corrected) if pair[0] != " "]
    assert changed == [("+", "    days: 4")]


def test_a_reworded_query_stands_first_among_the_changes():
    draft = annotation_data.task("Oslo")
    corrected = msgspec.structs.replace(
        draft, turns=annotation_data.task("Oslo", "Oslo, 3 days?").turns
    )
    assert diff.diff_lines(draft, corrected)[:2] == [
        ("-", "user: Three days in Oslo, please plan them."),
        ("+", "user: Oslo, 3 days?"),
    ]
    assert diff.diff_lines(draft, draft)[0] == (" ", "call")


def test_one_more_value_of_many_is_one_line_more():
    draft = annotation_data.task("Oslo")
    many, more = (
        msgspec.structs.replace(
            draft, golds=annotation_data.correction(draft, days=tuple(range(1, last))).golds
        )
        for last in (8, 9)
    )
    lines = diff.diff_lines(many, more)
    assert [text.strip() for _, text in lines[4:]] == ["days: 1", "…", "days: 7", "days: 8"]
    assert lines[-1] == ("+", "    days: 8")


@pytest.mark.parametrize("words", ["", "  \r\n ", "?!"])
def test_a_user_who_says_nothing_is_a_problem(words):
    assert editing.parse_form(edited(query=words), annotation_data.TOOLS).problems.keys() == {
        "query"
    }


def test_values_that_nobody_said_are_noted_and_no_problem():
    grounded = {("plan_trip", "Oslo")}
    parsed = editing.parse_form(edited(**{"0.0.stops": "no JSON"}), annotation_data.TOOLS)
    notes = editing.find_ungrounded(parsed.forms, lambda tool, value: (tool, value) in grounded)
    assert notes.keys() == {"0.0.days"}
