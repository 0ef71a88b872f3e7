"""Keep the queries of training and of the benchmark apart, in both directions."""

from collections.abc import Iterable

from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.records import Group, User
from benchmark.tasks.suites import Suite


def build_training_filter(groups: Iterable[Group], near: float) -> ContaminationFilter:
    """Finds what overlaps a query of training."""
    return ContaminationFilter(
        (
            ProtectedQuery(
                trajectory.query, trajectory.id, tuple(tool.name for tool in group.tools)
            )
            for group in groups
            for trajectory in group.trajectories
        ),
        near,
    )


def build_suite_filter(suite: Suite, near: float) -> ContaminationFilter:
    """Finds what overlaps any words of a user in the suite."""
    return ContaminationFilter(
        (
            ProtectedQuery(
                turn.text, task.id, tuple(tool.name for tool in suite.prompt(task).tools)
            )
            for task in suite.tasks
            for turn in task.turns
            if isinstance(turn, User)
        ),
        near,
    )
