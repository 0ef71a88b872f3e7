"""The order of review: first where a judge sees a fault, or where another tool seems to fit."""

from collections.abc import Mapping, Sequence

from agent_tuning.quality.word_overlap import WordOverlap
from agent_tuning.records import Record, Tool
from agent_tuning.runtime.ranges import Share
from benchmark.annotation.rating.rubric import MIN_USABLE_SCORE, Judgement
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Suite, Task


class Priority(Record, frozen=True):
    weight: float
    reasons: tuple[str, ...]


class WordOverlapLimits(Record, frozen=True):
    """`near`: if the gold's tool leads the next one by less, words do not tell them apart.

    `tempting`: if any tool overlaps more, a task that needs no call looks like one that does.
    """

    near: Share
    tempting: Share


def prioritize_tasks(
    suite: Suite, judgements: Mapping[str, Judgement], limits: WordOverlapLimits
) -> list[tuple[Task, Priority]]:
    """All tasks, the highest weight first."""
    word_overlap = WordOverlap(suite.tools.values())
    priorities = [
        (
            task,
            compute_priority(
                task, suite.prompt(task).tools, word_overlap, judgements.get(task.id), limits
            ),
        )
        for task in suite.tasks
    ]
    return sorted(priorities, key=lambda pair: (-pair[1].weight, pair[0].id))


def compute_priority(
    task: Task,
    tools: Sequence[Tool],
    word_overlap: WordOverlap,
    judgement: Judgement | None,
    limits: WordOverlapLimits,
) -> Priority:
    """A low score of the judge (weight 1 or more) goes before any word overlap (below 1)."""
    weight, reasons = _weigh_overlap(task, tools, word_overlap, limits)
    if judgement is not None and judgement.score < MIN_USABLE_SCORE:
        weight += MIN_USABLE_SCORE - judgement.score
        reasons = [f"judge: {judgement.score} of 5 {judgement.reason}".rstrip(), *reasons]
    return Priority(weight, tuple(reasons))


def _weigh_overlap(
    task: Task, tools: Sequence[Tool], word_overlap: WordOverlap, limits: WordOverlapLimits
) -> tuple[float, list[str]]:
    """How close another tool comes to the gold's, or any tool to a task without a call (0-1)."""
    query = last_user_text(task)
    overlaps = {tool.name: word_overlap.overlap(query, tool) for tool in tools}
    called = {call.name for gold in task.golds for call in gold.calls}
    others = overlaps.keys() - called
    rival = max(others, key=lambda name: (overlaps[name], name), default="")
    rival_overlap = overlaps.get(rival, 0.0)
    if not called:
        is_tempting = rival_overlap > limits.tempting
        return rival_overlap, [f"word overlap with {rival}"] if is_tempting else []
    lead = max((overlaps.get(name, 0.0) for name in called), default=0.0) - rival_overlap
    if not rival_overlap or lead >= limits.near:
        return 0.0, []
    return limits.near - lead, [f"similar word overlap with {rival}"]
