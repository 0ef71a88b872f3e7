"""The section `episodes`: how much of the suite is played, and how a model answers in it."""

from agent_tuning.records import Record


class EpisodesConfig(Record, frozen=True):
    """`tasks` per family, `attempts` per task, and at most `steps` decisions per attempt.

    `batch_size` is the number of questions in a batch.
    """

    tasks: int
    attempts: int
    steps: int
    max_new_tokens: int
    batch_size: int
    threads: int
