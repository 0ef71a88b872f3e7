"""What the tuned model called, tool by tool: a confusion by name is what somebody can act on."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmark.engines.answer import Answer
from benchmark.scoring.outcome import Verdict, parse_answer
from benchmark.scoring.task_score import ScoredAnswer
from benchmark.tasks.suites import Suite, Task

WORDS = {
    Verdict.NO_CALL: "no call",
    Verdict.ASK: "a question back",
    Verdict.MALFORMED: "not readable",
    Verdict.ERROR: "no answer",
}


@dataclass(frozen=True)
class ToolRow:
    """`n` tasks want this tool, or no call; `right` is em. `instead` is what came, most first."""

    wanted: str
    n: int
    right: int
    instead: Sequence[tuple[str, int]]


def build_tool_table(suite: Suite, scores: Iterable[ScoredAnswer]) -> list[ToolRow]:
    """A row for every tool that a gold calls, by name, then those for `no call` and `ask`.

    `scores` are the answers of one model to this suite. A task that wants two tools stands in the
    row of both.
    """
    tasks = {task.id: task for task in suite.tasks}
    rows: dict[tuple[bool, str], list[ScoredAnswer]] = {}
    for row in scores:
        for name in sorted({call.name for call in tasks[row.task].golds[0].calls}):
            rows.setdefault((False, name), []).append(row)
        if row.wanted != "call":
            rows.setdefault((True, WORDS[Verdict(row.wanted)]), []).append(row)
    return [
        _build_row(name, wanting, lambda row: _list_decided(suite, tasks[row.task], row))
        for (_, name), wanting in sorted(rows.items())
    ]


def _build_row(
    name: str, scores: Sequence[ScoredAnswer], decided: Callable[[ScoredAnswer], Iterator[str]]
) -> ToolRow:
    wrong = [row for row in scores if not row.score.em]
    instead = Counter(what for row in wrong for what in decided(row))
    ordered = sorted(instead.items(), key=lambda item: (-item[1], item[0]))
    return ToolRow(name, len(scores), len(scores) - len(wrong), ordered)


def _list_decided(suite: Suite, task: Task, row: ScoredAnswer) -> Iterator[str]:
    """The names that an answer calls beside those of its gold, or what it did in their place."""
    if row.outcome != Verdict.CALL:
        yield WORDS[row.outcome]
        return
    turn = parse_answer(suite.prompt(task), Answer(row.task, row.answer)).turn
    called = Counter(call.name for call in turn.calls) if turn else Counter()
    wanted = Counter(call.name for call in task.golds[0].calls)
    yield from sorted((called - wanted).keys()) or ["fewer calls"]


def build_tables(
    suites: Mapping[str, Suite], scores: Sequence[ScoredAnswer]
) -> dict[str, list[ToolRow]]:
    """Of the tuned model, by suite; suites that were not read are left out."""
    return {
        name: build_tool_table(
            suite, [row for row in scores if row.suite == name and row.model == "tuned"]
        )
        for name, suite in suites.items()
    }
