"""How long experiments will take, by what was measured on this machine, and where."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Record

HOUR = 3600


class StepSpeed(Record, frozen=True, forbid_unknown_fields=False):
    """What is read of a line of a speed log."""

    step: int
    seconds: float
    tokens: int


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
    newest = sorted(logs.glob("*/speed.jsonl"), key=lambda path: -path.stat().st_mtime)
    for log in newest:
        steps = {line.step: line for line in jsonl.read(log, StepSpeed)}  # a step may be done twice
        if seconds := sum(line.seconds for line in steps.values()):
            tokens = sum(line.tokens for line in steps.values())
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
