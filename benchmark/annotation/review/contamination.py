"""Keep the queries of training and of the benchmark apart, in both directions."""

from collections.abc import Iterable
from itertools import chain

from agent_tuning.quality.decontamination import ContaminationFilter, ProtectedQuery
from agent_tuning.records import Group, User
from agent_tuning.synthesis.written_checks import list_queries
from agent_tuning.synthesis.written_examples import NumberedExample
from benchmark.tasks.suites import Suite


def build_training_filter(
    groups: Iterable[Group], near: float, examples: Iterable[NumberedExample] = ()
) -> ContaminationFilter:
    """Finds what overlaps a query of training; `examples` are going to be trained on."""
    trained = (
        ProtectedQuery(trajectory.query, trajectory.id, tuple(tool.name for tool in group.tools))
        for group in groups
        for trajectory in group.trajectories
    )
    written = (
        ProtectedQuery(query, id, tuple(call.name for call in example.calls))
        for id, example in examples
        for query in list_queries(example)
    )
    return ContaminationFilter(chain(trained, written), near)


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
