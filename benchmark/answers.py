"""What a model said to a task."""

from trajectory.records import Record


class Answer(Record, frozen=True):
    task: str
    text: str
    error: str = ""  # infrastructure: the model was not heard
