"""Golds of others are checked like our own calls, as published and with real JSON Schemas."""

import pytest

from agent_tuning.records import Call, Tool
from benchmark.sources import bfcl, gold_check

BMI = Tool("bmi", "", {"type": "dict", "properties": {"kg": {"type": "float"}}, "required": ["kg"]})


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (Call("bmi", {"kg": 70.5}), "sound"),
        (Call("bmi"), "missing_argument"),
        (Call("bmi", {"kg": "70"}), "schema"),
        (Call("bmi", {"kg": 70, "m": 2}), "undeclared_argument"),
        (Call("other"), "not_on_menu"),
    ],
)
def test_a_gold_is_counted_under_the_first_reason(call, reason):
    assert gold_check.find_problem([call], [gold_check.translate_tool(BMI)]) == reason
    assert gold_check.find_problem([call], [BMI]) == "menu_schema"


def test_a_gold_is_made_of_the_first_accepted_values_and_leaves_out_what_may_be():
    accepted = {"kg": (70, "70"), "unit": ("", "kg"), "who": ({"name": ("Ann", "Anna")},)}
    answer = bfcl.Answer("a", ({"bmi": accepted},))
    assert list(gold_check.read_gold_calls(answer)) == [
        Call("bmi", {"kg": 70, "who": {"name": "Ann"}})
    ]
