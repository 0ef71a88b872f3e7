"""The section `episodes`: how much of the suite is played, and how a model answers in it."""

from dataclasses import replace
from pathlib import Path

from agent_tuning.records import Record
from benchmark.tasks import episodes
from benchmark.tasks.episodes import Episodes
from benchmark.tasks.suite_prompts import make_native


class EpisodesConfig(Record, frozen=True):
    """`tasks` per family, `attempts` per task, and at most `steps` decisions per attempt.

    `families` None plays all. `native` puts every task under the model's own chat template.
    `batch_size` is the number of questions in a batch.
    """

    families: tuple[str, ...] | None
    native: bool
    tasks: int
    attempts: int
    steps: int
    max_new_tokens: int
    batch_size: int
    threads: int


def read_played(folder: Path, p: EpisodesConfig) -> Episodes:
    """The part of a suite of episodes that is played, under the prompts that models get."""
    part = episodes.read(folder).slice(p.tasks, p.attempts, p.families)
    return replace(part, prompts=make_native(part.prompts)) if p.native else part
