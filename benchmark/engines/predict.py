"""Answer every question with one engine, so that a killed run resumes where it stopped."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from agent_tuning.files import append_log
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.runtime.progress import Progress
from benchmark.engines.answer import Answer
from benchmark.engines.engine import Engine


class Predictions(NamedTuple):
    """By task. A failed request has an error in place of an answer; the next run repeats it."""

    answers: dict[str, Answer]
    failed: dict[str, Answer]


def predict(engine: Engine, groups: Sequence[QuestionGroup], log: Path, name: str) -> Predictions:
    """Answer what `log` does not hold yet, and append each batch to it as soon as it is there."""
    answers = {answer.task: answer for answer in append_log.read_complete(log, Answer)}
    failed: dict[str, Answer] = {}
    progress = Progress(name, sum(len(group.questions) for group in groups), len(answers))
    for batch in engine.answers(groups, answers, progress.show_part):
        answered = [answer for answer in batch if not answer.error]
        append_log.append(log, answered)
        answers.update((answer.task, answer) for answer in answered)
        failed.update((answer.task, answer) for answer in batch if answer.error)
        note = f"{len(failed)} failed requests" * bool(failed)
        progress.show(len(answers) + len(failed), note)
    return Predictions(answers, failed)
