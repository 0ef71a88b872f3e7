"""What a model said to a task."""

from agent_tuning.records import Record


class Answer(Record, frozen=True):
    task: str
    text: str
    error: str = ""  # infrastructure: the model was not heard
