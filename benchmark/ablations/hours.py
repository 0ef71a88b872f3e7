"""How long experiments will take, by what was measured on this machine, and where."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from agent_tuning.records import BadInput, Record
from benchmark.reports import speed_logs

HOUR = 3600


class Speed(NamedTuple):
    """Tokens that training reads in a second, and where that was measured."""

    tokens_per_s: float
    source: str


class FinishedRun(Record, frozen=True):
    """One experiment from its start to its score, in seconds, on this machine."""

    name: str
    steps: int
    seconds: float


def read_speed(logs: Path) -> Speed:
    """The mean over the last training that left a speed log in `logs`/RUN.

    Raises BadInput if there is none.
    """
    for log, steps in speed_logs.read_logs(logs):
        if seconds := sum(step.seconds for step in steps):
            tokens = sum(step.tokens for step in steps)
            return Speed(tokens / seconds, f"{log}, {len(steps)} steps")
    raise BadInput(
        f"{logs}: no training left a speed log here: say how many tokens a second this machine "
        "trains, such as SPEED=160 (docs/performance.md), or run `make train`"
    )


def estimate_hours(steps: Iterable[int], tokens_per_step: float, speed: Speed) -> float:
    """Hours of training alone, for experiments of so many steps each."""
    return sum(steps) * tokens_per_step / speed.tokens_per_s / HOUR


def estimate_hours_by_finished(steps: Iterable[int], finished: Iterable[FinishedRun]) -> float:
    """Hours with the answers, at the pace of experiments that ran here from start to end."""
    runs = list(finished)
    pace = sum(run.seconds for run in runs) / sum(run.steps for run in runs)
    return sum(steps) * pace / HOUR
