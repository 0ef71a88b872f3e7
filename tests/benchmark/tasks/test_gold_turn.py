"""A decision becomes a gold, and the gold that decision again."""

import pytest

from agent_tuning.records import Assistant, Call
from benchmark.tasks.gold_turn import build_gold, build_gold_turn
from benchmark.tasks.suites import Gold, GoldCall

CALLS = (Call("weather", {"city": "Oslo", "days": [1, 2]}), Call("now"))
DECISIONS = [
    Assistant("call", "Look it up.", CALLS),
    Assistant("ask", "The city is missing.", text="Where?"),
    Assistant("no_call", text="Good morning."),
]


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda turn: turn.decision)
def test_the_turn_of_a_decisions_gold_is_that_decision(decision: Assistant) -> None:
    assert build_gold_turn(build_gold(decision), decision.text) == decision


def test_a_gold_has_the_values_that_are_right_for_each_argument() -> None:
    decision = Assistant("call", "Look it up.", (Call("weather", {"city": "Oslo", "days": 1}),))
    gold = build_gold(decision, lambda name, value: (value, f"{name} {value}"))
    call = GoldCall("weather", {"city": ("Oslo", "city Oslo"), "days": (1, "days 1")})
    assert gold == Gold("call", "Look it up.", (call,))
    assert build_gold_turn(gold) == decision
