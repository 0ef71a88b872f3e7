"""A gold as the turn that a model should have written."""

from agent_tuning.records import Assistant, Call
from benchmark.tasks.suites import Gold


def build_gold_turn(gold: Gold, reply: str = "") -> Assistant:
    """The turn with the first accepted value of every argument.

    `reply` is the text for the user, where the gold calls no tool.
    """
    calls = (
        Call(call.name, {name: accepted[0] for name, accepted in call.arguments.items()})
        for call in gold.calls
    )
    return Assistant(gold.decision, gold.thought, tuple(calls), "" if gold.calls else reply)
