"""All replies together: checked against each other and against the files, counted, written."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from agent_tuning.synthesis.wording_files import Fulfilled, WordingFiles
from agent_tuning.synthesis.wording_replies import Draft, check_drafts
from agent_tuning.synthesis.wording_requests import Assignment
from agent_tuning.synthesis.wording_teacher import WordingTeacher
from agent_tuning.synthesis.written_examples import WrittenExample


class Answered(NamedTuple):
    """An assignment with its sound drafts, and all that were dropped."""

    assignment: Assignment
    sound: list[Draft]
    dropped: list[Draft]


def read_answers(
    teacher: WordingTeacher, assignments: Sequence[Assignment], known: Sequence[WrittenExample]
) -> list[Answered]:
    """What the stored replies give, after a check against each other and the files' examples.

    A draft that the files have word for word is left out silently: a run was killed after it had
    written it.
    """
    outcomes = [teacher.follow(assignment) for assignment in assignments]
    new = [
        [draft for draft in outcome.sound if not all(one in known for one in draft.examples)]
        for outcome in outcomes
    ]
    together = [draft for drafts in new for draft in drafts]
    checked = iter(check_drafts(together, known, teacher.checks, teacher.near_duplicate))
    answers: list[Answered] = []
    for assignment, outcome, drafts in zip(assignments, outcomes, new, strict=True):
        mine = [next(checked) for _ in drafts]
        sound = [draft for draft in mine if not draft.problem]
        dropped = [*outcome.unfit, *(draft for draft in mine if draft.problem)]
        answers.append(Answered(assignment, sound, dropped))
    return answers


def write_answers(files: WordingFiles, answers: Sequence[Answered]) -> dict[Path, int]:
    """Append the sound examples in the order of the requests; return how many by file."""
    counts: Counter[Path] = Counter()
    for path, group in groupby(answers, key=lambda one: files.find_path(one.assignment.voice)):
        members = list(group)
        examples = [e for one in members for draft in one.sound for e in draft.examples]
        files.append(path, examples)
        files.record([Fulfilled(a.name, a.wanted, len(sound)) for a, sound, _ in members])
        counts[path] += len(examples)
    return dict(counts)


def count_dropped(answers: Sequence[Answered]) -> Counter[str]:
    """Dropped examples by reason, the most frequent first."""
    counts: Counter[str] = Counter()
    for answer in answers:
        for draft in answer.dropped:
            counts[draft.problem.partition(": ")[0]] += draft.size
    return Counter(dict(counts.most_common()))


def describe_dropped(dropped: Counter[str]) -> str:
    """Such as `5 dropped: 3 unsaid_value, 2 duplicate`."""
    reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
    return f"{dropped.total()} dropped" + f": {reasons}" * bool(reasons)
