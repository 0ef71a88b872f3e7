"""What a model is asked: the questions of a group after the prompt they share, as token ids."""

from collections.abc import Collection, Iterable, Iterator

from trajectory.records import Record


class Questions(Record, frozen=True):
    group: str
    prefix: tuple[int, ...]
    questions: dict[str, tuple[int, ...]]  # by task


def unanswered(
    groups: Iterable[Questions], done: Collection[str]
) -> Iterator[tuple[str, list[int]]]:
    """Task and whole prompt of each question that is not done."""
    for group in groups:
        for task, ids in group.questions.items():
            if task not in done:
                yield task, [*group.prefix, *ids]
