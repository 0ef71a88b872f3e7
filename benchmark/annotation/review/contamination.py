"""What may not be both trained on and asked: a fence around either side."""

from collections.abc import Iterable

from agent_tuning.quality.decontamination import Fence, Protected
from agent_tuning.records import Group, Record, User
from agent_tuning.runtime import config
from benchmark.tasks.suites import Suite


class Params(Record, frozen=True, forbid_unknown_fields=False):
    """How near `verify` lets training come to the benchmark."""

    near_benchmark: float


def around_training(groups: Iterable[Group]) -> Fence:
    return _fence(
        Protected(one.query, one.id, tuple(tool.name for tool in group.tools))
        for group in groups
        for one in group.trajectories
    )


def around_suite(suite: Suite) -> Fence:
    return _fence(
        Protected(turn.text, task.id, tuple(tool.name for tool in suite.menu(task)))
        for task in suite.tasks
        for turn in task.turns
        if isinstance(turn, User)
    )


def _fence(protected: Iterable[Protected]) -> Fence:
    return Fence(protected, config.load("verify", Params).near_benchmark)
