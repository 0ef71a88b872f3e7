"""Have a chat model rewrite the queries and calls of drafted positives."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from agent_tuning.records import Assistant, Trajectory
from agent_tuning.synthesis.teachers import GroupRequest, Teacher, TrajectoryRequest
from benchmark.annotation.review.least_covered_draft import LeastCoveredDraft, first_query
from benchmark.drafting.draft_house import DraftedTask
from benchmark.tasks.suites import Task


def build_requests(
    tasks: Sequence[Task], items: Mapping[str, TrajectoryRequest]
) -> Iterator[GroupRequest]:
    """One request for each positive, with the tool list of its task."""
    for task in tasks:
        if item := items.get(first_query(task)):
            tools = (key.removesuffix(f".{task.language}") for key in task.menu)
            yield GroupRequest(task.id, task.group, task.language, tuple(tools), (item,))


def rewrite_positives(
    tasks: Sequence[Task], drafter: LeastCoveredDraft, teacher: Teacher
) -> Iterator[Task]:
    """Positives in the chat model's words. Those that it could not write are left out."""
    written = teacher.write(build_requests(tasks, drafter.items))
    groups = {result.group.id: result.group for result in written}
    for task in tasks:
        if task.id not in groups:
            yield task
            continue
        for trajectory in groups[task.id].trajectories:
            cut, query = len(task.turns), trajectory.query
            is_new = query == first_query(task) or drafter.is_new(query)
            if _has_call_at(trajectory, cut) and is_new:
                drafter.queries.add(query)
                gold = DraftedTask("unseen", trajectory, cut).gold
                turns = trajectory.turns[:cut]
                yield msgspec.structs.replace(task, turns=turns, golds=(gold,))


def _has_call_at(trajectory: Trajectory, cut: int) -> bool:
    turn = trajectory.turns[cut] if cut < len(trajectory.turns) else None
    return isinstance(turn, Assistant) and turn.decision == "call"
