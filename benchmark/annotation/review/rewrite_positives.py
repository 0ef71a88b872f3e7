"""Have a chat model rewrite the queries and calls of drafted positives."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from agent_tuning.records import Assistant, Group, Trajectory
from agent_tuning.synthesis.teachers import GroupRequest, Teacher, TrajectoryRequest
from benchmark.annotation.review.least_covered_draft import LeastCoveredDraft, first_query
from benchmark.drafting.drafter import DraftedTask
from benchmark.tasks.suites import Task, TaskGroup


def build_requests(
    groups: Sequence[TaskGroup], items: Mapping[str, TrajectoryRequest]
) -> Iterator[GroupRequest]:
    """One request for each positive, with the tool list of its prompt."""
    for prompt, tasks in groups:
        tools = tuple(key.removesuffix(f".{prompt.language}") for key in prompt.tools)
        for task in tasks:
            if item := items.get(first_query(task)):
                yield GroupRequest(task.id, prompt.id, prompt.language, tools, (item,))


def rewrite_positives(
    groups: Sequence[TaskGroup], drafter: LeastCoveredDraft, teacher: Teacher
) -> Iterator[TaskGroup]:
    """Positives in the chat model's words. Those that it could not write are left out."""
    results = teacher.write(build_requests(groups, drafter.items))
    written = {result.group.id: result.group for result in results}
    for prompt, tasks in groups:
        rewritten = (_rewrite(task, written.get(task.id), drafter) for task in tasks)
        kept = tuple(task for task in rewritten if task)
        if kept:
            yield TaskGroup(prompt, kept)


def _rewrite(task: Task, written: Group | None, drafter: LeastCoveredDraft) -> Task | None:
    """The task in the words of the chat model; as it was if the model was not asked for it."""
    if written is None:
        return task
    for trajectory in written.trajectories:
        cut, query = len(task.turns), trajectory.query
        is_new = query == first_query(task) or drafter.is_new(query)
        if _has_call_at(trajectory, cut) and is_new:
            drafter.queries.add(query)
            gold = DraftedTask("unseen", trajectory, cut).gold
            return msgspec.structs.replace(task, turns=trajectory.turns[:cut], golds=(gold,))
    return None


def _has_call_at(trajectory: Trajectory, cut: int) -> bool:
    turn = trajectory.turns[cut] if cut < len(trajectory.turns) else None
    return isinstance(turn, Assistant) and turn.decision == "call"
