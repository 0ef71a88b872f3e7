"""Answers of several model versions to rate blind: which ones, and in what order for whom."""

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
    """One answer on the sheet; versions that said the same share one rating."""

    id: str
    task: str
    text: str
    versions: tuple[str, ...]


def read_answers(paths: Sequence[Path]) -> dict[str, dict[str, Answer]]:
    """version -> task -> answer; a version is named by its file."""
    if not paths:
        raise BadInput("VERSION: name at least one file of answers, such as VERSION=tuned")
    return {path.stem: {one.task: one for one in jsonl.read(path, Answer)} for path in paths}


def draw_sheet(
    tasks: Sequence[Task], answers: Mapping[str, Mapping[str, Answer]], count: int, seed: int
) -> list[RatedAnswer]:
    """The answers of every version to `count` drawn tasks, by id; unheard ones are left out.

    An answer's id comes from what was asked and said, so a sheet made again resumes the old one.
    """
    drawn = sorted(tasks, key=lambda task: random.Random(f"{seed}:{task.id}").random())[:count]
    said: dict[tuple[str, str], list[str]] = defaultdict(list)
    for task in drawn:
        for version, by_task in answers.items():
            if task.id not in by_task:
                raise BadInput(f"{version}: no answer to {task.id!r}")
            if not by_task[task.id].error:
                said[task.id, by_task[task.id].text].append(version)
    rated = [RatedAnswer(_id(*key), *key, tuple(sorted(names))) for key, names in said.items()]
    return sorted(rated, key=lambda one: one.id)


def shuffle_for(answers: Iterable[RatedAnswer], who: str, seed: int) -> list[RatedAnswer]:
    """Everybody's own order, the same every time."""
    return sorted(answers, key=lambda one: random.Random(f"{seed}:{who}:{one.id}").random())


def _id(task: str, text: str) -> str:
    said = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(task.encode() + b"\0" + said, digest_size=8).hexdigest()
