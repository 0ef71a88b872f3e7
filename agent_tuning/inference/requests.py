"""Requests to a model as token ids: the questions of a group, after the prompt they share."""

from collections.abc import Collection, Iterable, Iterator

from agent_tuning.records import Record


class QuestionGroup(Record, frozen=True):
    """Questions under one prompt. `openings`: how an answer can begin, after white space."""

    group: str
    openings: tuple[str, ...]
    prefix: tuple[int, ...]
    questions: dict[str, tuple[int, ...]]  # by task

    def __post_init__(self) -> None:
        if not self.questions or not all(self.questions.values()):
            raise ValueError("questions: expected at least one, of at least one token")
        if min(self.prefix, default=0) < 0 or min(map(min, self.questions.values())) < 0:
            raise ValueError("expected token ids of at least 0")

    @property
    def largest_id(self) -> int:
        return max(max(self.prefix, default=0), *map(max, self.questions.values()))

    def can_never_parse(self, answer: str) -> bool:
        """True if the start of an answer is malformed, whatever follows."""
        start = answer.lstrip()
        return not any(
            start.startswith(opening) or opening.startswith(start) for opening in self.openings
        )


def unanswered(
    groups: Iterable[QuestionGroup], done: Collection[str]
) -> Iterator[tuple[str, list[int]]]:
    """Task and full prompt of each question that is not in `done`."""
    for group in groups:
        for task, ids in group.questions.items():
            if task not in done:
                yield task, [*group.prefix, *ids]
