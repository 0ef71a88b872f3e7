"""A model's answer to a task."""

from agent_tuning.records import Record


class Answer(Record, frozen=True):
    task: str
    text: str
    error: str = ""  # of the infrastructure: the request failed, and there is no answer
    cut: bool = False  # at the limit of tokens: the model had not ended its turn
