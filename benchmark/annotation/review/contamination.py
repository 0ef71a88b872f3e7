"""What may not be both trained on and asked: a fence around either side."""

from collections.abc import Iterable

from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.records import Group, Record, User
from agent_tuning.runtime import config
from benchmark.tasks.suites import Suite


class ContaminationConfig(Record, frozen=True, forbid_unknown_fields=False):
    """How near `verify` lets training come to the benchmark."""

    near_benchmark: float


def build_training_filter(groups: Iterable[Group]) -> ContaminationFilter:
    return _fence(
        ProtectedQuery(one.query, one.id, tuple(tool.name for tool in group.tools))
        for group in groups
        for one in group.trajectories
    )


def build_suite_filter(suite: Suite) -> ContaminationFilter:
    return _fence(
        ProtectedQuery(turn.text, task.id, tuple(tool.name for tool in suite.tools_of(task)))
        for task in suite.tasks
        for turn in task.turns
        if isinstance(turn, User)
    )


def _fence(protected: Iterable[ProtectedQuery]) -> ContaminationFilter:
    return ContaminationFilter(protected, config.load("verify", ContaminationConfig).near_benchmark)
