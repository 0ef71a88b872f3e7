"""What keeps candidates out of the suite: open or conflicting reviews, duplicates, leaks."""

from collections.abc import Iterator, Sequence

import msgspec

from agent_tuning.quality.decontamination import ContaminationFilter
from agent_tuning.quality.near_duplicates import normalize_tokens
from agent_tuning.records import User
from benchmark.annotation.review.reviewed_tasks import ReviewedTask
from benchmark.tasks.suites import Suite, Task


def find_problems(
    suite: Suite,
    candidates: Suite,
    reviewed: Sequence[ReviewedTask],
    training_filter: ContaminationFilter,
) -> Iterator[str]:
    """Why the candidates may not be merged: one line for each problem, with the task's id."""
    ids = {task.id for task in suite.tasks}
    dialogues = {_normalize_dialogue(suite, task): task.id for task in suite.tasks}
    for draft, outcome, _ in reviewed:
        task = outcome.task or draft
        if outcome.state == "open":
            yield f"{task.id}: unreviewed: {outcome.detail}"
        if outcome.state == "conflict":
            yield f"{task.id}: conflict: {outcome.detail}"
        if outcome.state == "rejected":
            continue
        if task.id in ids:
            yield f"{task.id}: duplicate: the suite already has a task with this id"
        other = dialogues.setdefault(_normalize_dialogue(candidates, task), task.id)
        if other != task.id:
            yield f"{task.id}: duplicate: same dialogue as {other}"
        names = [tool.name for tool in candidates.prompt(task).tools]
        for turn in task.turns:
            if isinstance(turn, User):
                overlap = training_filter.overlap(turn.text, names)
                if overlap:
                    yield f"{task.id}: in the training data: {overlap}: {turn.text}"


def _normalize_dialogue(suite: Suite, task: Task) -> tuple[object, ...]:
    """Equal for two tasks that are the same one: the same tools and dialogue."""
    turns = (normalize_tokens(msgspec.json.encode(turn).decode()) for turn in task.turns)
    return frozenset(suite.prompts[task.prompt].tools), *turns
