"""How fast trainings ran on this machine: the logs that they left in scratch/train."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from agent_tuning.files import json_file
from agent_tuning.records import Record


class StepSpeed(Record, frozen=True, forbid_unknown_fields=False):
    """What is read of a line of speed.jsonl."""

    step: int
    seconds: float
    tokens: int


def read_logs(folder: Path) -> Iterator[tuple[Path, list[StepSpeed]]]:
    """Every `folder`/RUN/speed.jsonl and its steps, the newest first.

    A step done twice counts once. A line that a kill cut, or that is being written, is left out.
    """
    decode = msgspec.json.Decoder(StepSpeed).decode
    for log in sorted(folder.glob("*/speed.jsonl"), key=lambda path: -path.stat().st_mtime):
        steps = {}
        for line in log.read_bytes().splitlines():
            with suppress(*json_file.UNREADABLE):
                step = decode(line)
                steps[step.step] = step
        yield log, list(steps.values())
