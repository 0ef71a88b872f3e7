"""Which drafted tasks to look at first: where a judge disagrees, and where words are no help."""

from collections.abc import Mapping, Sequence

from agent_tuning.quality.word_overlap import WordOverlap
from agent_tuning.records import Record, Tool
from benchmark.annotation.rating.rubric import MIN_USABLE_SCORE, Judgement
from benchmark.scoring.task_score import last_user_text
from benchmark.tasks.suites import Suite, Task


class Priority(Record, frozen=True):
    weight: float
    reasons: tuple[str, ...]


class WordOverlapLimits(Record, frozen=True):
    """`near`: a lead of the gold's tool below which words do not tell it from the next one.

    `tempting`: an overlap with any tool above which a task that wants none looks like a call.
    """

    near: float
    tempting: float


def prioritize_tasks(
    suite: Suite, judged: Mapping[str, Judgement], ties: WordOverlapLimits
) -> list[tuple[Task, Priority]]:
    """All tasks, the most suspicious first."""
    lexical = WordOverlap(suite.tools.values())
    found = [
        (task, compute_priority(task, suite.tools_of(task), lexical, judged.get(task.id), ties))
        for task in suite.tasks
    ]
    return sorted(found, key=lambda pair: (-pair[1].weight, pair[0].id))


def compute_priority(
    task: Task,
    menu: Sequence[Tool],
    lexical: WordOverlap,
    judged: Judgement | None,
    ties: WordOverlapLimits,
) -> Priority:
    """A judge's word weighs more than any overlap of words."""
    weight, reasons = _lexical(task, menu, lexical, ties)
    if judged is not None and judged.score < MIN_USABLE_SCORE:
        weight += MIN_USABLE_SCORE - judged.score
        reasons = [f"judge: {judged.score} of 5 {judged.reason}".rstrip(), *reasons]
    return Priority(weight, tuple(reasons))


def _lexical(
    task: Task, menu: Sequence[Tool], lexical: WordOverlap, ties: WordOverlapLimits
) -> tuple[float, list[str]]:
    """How close another tool comes to the gold's, or any tool to a task that wants none (0-1)."""
    asked = last_user_text(task)
    overlaps = {tool.name: lexical.overlap(asked, tool) for tool in menu}
    called = {call.name for gold in task.golds for call in gold.calls}
    others = overlaps.keys() - called
    rival = max(others, key=lambda name: (overlaps[name], name), default="")
    temptation = overlaps.get(rival, 0.0)
    if not called:
        return temptation, [f"words fit {rival}"] if temptation > ties.tempting else []
    lead = max((overlaps.get(name, 0.0) for name in called), default=0.0) - temptation
    if not temptation or lead >= ties.near:
        return 0.0, []
    return ties.near - lead, [f"words fit {rival} as well"]
