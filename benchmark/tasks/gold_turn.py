"""A decision as a gold, and a gold as the turn that a model should have written."""

from collections.abc import Callable

from agent_tuning.records import Assistant, Call, Json
from benchmark.tasks.suites import Gold, GoldCall


def accept_only(_name: str, value: Json) -> tuple[Json, ...]:
    return (value,)


def build_gold(
    decision: Assistant, accept: Callable[[str, Json], tuple[Json, ...]] = accept_only
) -> Gold:
    """The decision as what a task asks for.

    `accept` gives all right values of an argument, from its name and the value in the decision.
    """
    calls = (
        GoldCall(call.name, {name: accept(name, value) for name, value in call.arguments.items()})
        for call in decision.calls
    )
    return Gold(decision.decision, decision.thought, tuple(calls))


def build_gold_turn(gold: Gold, reply: str = "") -> Assistant:
    """The turn with the first accepted value of every argument.

    `reply` is the text for the user, where the gold calls no tool.
    """
    calls = (
        Call(call.name, {name: accepted[0] for name, accepted in call.arguments.items()})
        for call in gold.calls
    )
    return Assistant(gold.decision, gold.thought, tuple(calls), "" if gold.calls else reply)
