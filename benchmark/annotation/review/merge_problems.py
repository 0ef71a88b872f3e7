"""What keeps candidates out of the suite: open or conflicting reviews, flags, duplicates, leaks."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.records import User
from benchmark.annotation.review.reviewed_tasks import ReviewedTask
from benchmark.tasks.suites import Suite, Task


class MergeProblem(NamedTuple):
    """Why one candidate may not be merged; `task` is its id."""

    task: str
    reason: str

    def __str__(self) -> str:
        return f"{self.task}: {self.reason}"


def find_problems(
    suite: Suite,
    candidates: Suite,
    reviewed: Sequence[ReviewedTask],
    training_filter: ContaminationFilter,
) -> Iterator[MergeProblem]:
    """Why the candidates may not be merged."""
    ids = {task.id for task in suite.tasks}
    dialogues = {_normalize_dialogue(suite, task): task.id for task in suite.tasks}
    for result in reviewed:
        task = result.outcome.task or result.draft
        if unsettled := result.describe_unsettled():
            yield MergeProblem(task.id, unsettled)
        if result.outcome.state == "rejected":
            continue
        if task.id in ids:
            yield MergeProblem(task.id, "duplicate: the suite already has a task with this id")
        other = dialogues.setdefault(_normalize_dialogue(candidates, task), task.id)
        if other != task.id:
            yield MergeProblem(task.id, f"duplicate: same dialogue as {other}")
        names = [tool.name for tool in candidates.prompt(task).tools]
        for turn in task.turns:
            if isinstance(turn, User) and (overlap := training_filter.overlap(turn.text, names)):
                yield MergeProblem(task.id, f"in the training data: {overlap}: {turn.text}")


def _normalize_dialogue(suite: Suite, task: Task) -> tuple[object, ...]:
    """Equal for two tasks that are the same one: the same tools and dialogue."""
    turns = (normalize_tokens(msgspec.json.encode(turn).decode()) for turn in task.turns)
    return frozenset(suite.prompts[task.prompt].tools), *turns
