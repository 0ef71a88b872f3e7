"""Answers of several model versions to rate blind: which ones, and each person's order."""

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Record
from benchmark.engines.answer import Answer
from benchmark.tasks.suites import Task


class RatedAnswer(Record, frozen=True):
    """One answer on the sheet; versions with the same text share one rating."""

    id: str
    task: str
    text: str
    versions: tuple[str, ...]


def read_answers(paths: Sequence[Path]) -> dict[str, dict[str, Answer]]:
    """Map version -> task -> answer. The name of a version is the name of its file."""
    if not paths:
        raise BadInput("VERSION: name at least one file of answers, such as VERSION=tuned")
    return {
        path.stem: {answer.task: answer for answer in jsonl.read(path, Answer)} for path in paths
    }


def draw_sheet(
    tasks: Sequence[Task], answers: Mapping[str, Mapping[str, Answer]], count: int, seed: int
) -> list[RatedAnswer]:
    """The answers of every version to `count` random tasks, by id, without failed requests.

    An answer's id comes from its task and text, so drawing the sheet again resumes the old one.
    """
    drawn = sorted(tasks, key=lambda task: random.Random(f"{seed}:{task.id}").random())[:count]
    versions: dict[tuple[str, str], list[str]] = defaultdict(list)  # by task and text
    for task in drawn:
        for version, by_task in answers.items():
            if task.id not in by_task:
                raise BadInput(f"{version}: no answer to {task.id!r}")
            if not by_task[task.id].error:
                versions[task.id, by_task[task.id].text].append(version)
    sheet = [
        RatedAnswer(_hash_answer(*key), *key, tuple(sorted(names)))
        for key, names in versions.items()
    ]
    return sorted(sheet, key=lambda answer: answer.id)


def order_for(
    answers: Iterable[RatedAnswer], who: str, seed: int, shared: int
) -> list[RatedAnswer]:
    """The answers in this person's order, the same every time.

    The first `shared` are the same for everybody, in the same order: two people who stop early have
    still rated answers in common. Each rates the others in an order of their own.
    """
    common = _shuffle(answers, f"{seed}")
    return [*common[:shared], *_shuffle(common[shared:], f"{seed}:{who}")]


def _shuffle(answers: Iterable[RatedAnswer], stream: str) -> list[RatedAnswer]:
    return sorted(answers, key=lambda answer: random.Random(f"{stream}:{answer.id}").random())


def _hash_answer(task: str, text: str) -> str:
    encoded = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(task.encode() + b"\0" + encoded, digest_size=8).hexdigest()
