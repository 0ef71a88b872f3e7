"""What a model is asked: the questions of a group after the prompt they share, as token ids."""

from trajectory.records import Record


class Questions(Record, frozen=True):
    group: str
    prefix: tuple[int, ...]
    questions: dict[str, tuple[int, ...]]  # by task
