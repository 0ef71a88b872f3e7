"""What a model is asked: the questions of a group after the prompt they share, as token ids."""

from collections.abc import Collection, Iterable, Iterator

from agent_tuning.records import Record


class QuestionGroup(Record, frozen=True):
    group: str
    openings: tuple[str, ...]  # how an answer in the asked format can begin, after blanks
    prefix: tuple[int, ...]
    questions: dict[str, tuple[int, ...]]  # by task

    def can_never_parse(self, answer: str) -> bool:
        """Is this malformed whatever follows?"""
        begun = answer.lstrip()
        return not any(begun.startswith(o) or o.startswith(begun) for o in self.openings)


def unanswered(
    groups: Iterable[QuestionGroup], done: Collection[str]
) -> Iterator[tuple[str, list[int]]]:
    """Task and whole prompt of each question that is not done."""
    for group in groups:
        for task, ids in group.questions.items():
            if task not in done:
                yield task, [*group.prefix, *ids]
