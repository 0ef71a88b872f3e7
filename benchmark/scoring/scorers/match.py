"""Exact match: the right decision and, for a call, the right tools."""

from collections import Counter
from collections.abc import Sequence

from agent_tuning.records import Assistant
from benchmark.tasks.suites import Gold


def em(golds: Sequence[Gold], turn: Assistant | None) -> int:
    """1 when the answer decides as one of the golds does; the order of calls is free."""
    return int(turn is not None and any(_matches(gold, turn) for gold in golds))


def _matches(gold: Gold, turn: Assistant) -> bool:
    wanted = Counter(call.name for call in gold.calls)
    return gold.decision == turn.decision and wanted == Counter(call.name for call in turn.calls)
