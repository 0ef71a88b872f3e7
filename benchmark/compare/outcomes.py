"""What a version's tuned model got right, task by task, small enough for git: `make outcomes`.

Answers are in DVC's cache alone, which a later clone may not have. A version that was released with
these two files in its metrics compares without them.

writes  metrics/RECIPE/outcomes.csv    TaskOutcome, a line for every task of the compared suites
        metrics/RECIPE/outcomes.json   what two versions must share to be comparable, and the MD5 of
                                       the answers, as DVC has it: a version counts by outcomes of
                                       its own answers alone
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from agent_tuning.files import atomic_write, csv_records, json_file
from agent_tuning.records import Decision, Json, Record
from benchmark.scoring.outcome import Verdict
from benchmark.scoring.scorers import Score
from benchmark.scoring.task_score import ScoredAnswer

FILE, PROTOCOL_FILE = "outcomes.csv", "outcomes.json"
ANSWERS = "answers"  # beside the keys of a protocol
NOT_KEPT = "the answer is in no cache here, only its outcome"


class TaskOutcome(Record, frozen=True):
    """What a comparison reads of a ScoredAnswer."""

    suite: str
    task: str
    group: str
    kind: str
    language: str
    wanted: Decision
    outcome: Verdict
    em: int
    call_exact_match: int | None = None
    text: float | None = None
    score: float | None = None


def write(
    folder: Path, rows: Iterable[ScoredAnswer], protocol: Mapping[str, Json], answers: str
) -> None:
    """Write both files into the folder of the metrics; `answers` is their MD5."""
    csv_records.write(folder / FILE, TaskOutcome, map(_shorten, rows))
    text = msgspec.json.format(msgspec.json.encode({**protocol, ANSWERS: answers}, order="sorted"))
    atomic_write.write_bytes(folder / PROTOCOL_FILE, text + b"\n")


def read(folder: Path, model: str) -> tuple[list[ScoredAnswer], dict[str, Json]]:
    """A line without texts for every task, and the protocol with the MD5 of the answers."""
    rows = [_lengthen(row, model) for row in csv_records.read(folder / FILE, TaskOutcome)]
    return rows, json_file.read(folder / PROTOCOL_FILE, dict[str, Json])


def add_questions(
    rows: Iterable[ScoredAnswer], others: Sequence[ScoredAnswer]
) -> list[ScoredAnswer]:
    """The lines with what was asked, as `others` say it: answers of another version to the same."""
    asked = {(row.suite, row.task): row for row in others}
    return [
        msgspec.structs.replace(row, query=other.query, gold=other.gold)
        if (other := asked.get((row.suite, row.task)))
        else row
        for row in rows
    ]


def _shorten(row: ScoredAnswer) -> TaskOutcome:
    return TaskOutcome(
        suite=row.suite,
        task=row.task,
        group=row.group,
        kind=row.kind,
        language=row.language,
        wanted=row.wanted,
        outcome=row.outcome,
        em=row.score.em,
        call_exact_match=row.score.call_exact_match,
        text=row.score.text,
        score=row.score.score,
    )


def _lengthen(row: TaskOutcome, model: str) -> ScoredAnswer:
    return ScoredAnswer(
        suite=row.suite,
        model=model,
        task=row.task,
        group=row.group,
        kind=row.kind,
        language=row.language,
        template="",
        tool_format="",
        reply_format="",
        wanted=row.wanted,
        outcome=row.outcome,
        score=Score(row.em, row.text, row.score, call_exact_match=row.call_exact_match),
        reason=NOT_KEPT,
    )
