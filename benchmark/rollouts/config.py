"""The section `episodes`: how much of the suite is played, and how a model answers in it."""

from dataclasses import replace
from pathlib import Path

from agent_tuning.records import Record
from agent_tuning.runtime.ranges import AtLeastOne, Threads
from benchmark.tasks import episodes
from benchmark.tasks.episodes import Episodes


class EpisodesConfig(Record, frozen=True):
    """`tasks` per family, `attempts` per task, and at most `steps` decisions per attempt.

    `families` None plays all. `native` puts every task under the model's own chat template.
    `batch_size` is the number of questions in a batch.
    """

    families: tuple[str, ...] | None
    native: bool
    tasks: AtLeastOne
    attempts: AtLeastOne
    steps: AtLeastOne
    max_new_tokens: AtLeastOne
    batch_size: AtLeastOne
    threads: Threads


def read_played(folder: Path, p: EpisodesConfig) -> Episodes:
    """The part of a suite of episodes that is played, under the prompts that models get."""
    part = episodes.read(folder).slice(p.tasks, p.attempts, p.families)
    if not p.native:
        return part
    return replace(part, prompts={id: one.make_native() for id, one in part.prompts.items()})
