"""What a run was made from and what it took: python -m slurm.launch.manifest, in its folder.

reads   inputs.json     written once, with the folder
        history.jsonl   every start and end of its job
writes  manifest.json   both together; the job writes it whenever it ends, even if nobody waits
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from agent_tuning.files import atomic_write, jsonl
from agent_tuning.records import Record
from agent_tuning.runtime import cli
from slurm.node import consistency
from slurm.node.consistency import RunInputs


class Event(Record, frozen=True):
    """A line of history.jsonl: a start of the job, or an end of it."""

    job: str  # ID.RESTART
    event: str
    time: int  # Unix seconds
    nodes: str  # with commas
    gpus: int


class Attempt(Record, frozen=True):
    """One start of the job. `seconds` is None while its end is unknown."""

    job: str
    nodes: tuple[str, ...]
    gpus: int
    seconds: int | None
    end: str


class Manifest(Record, frozen=True):
    """`dirty`: no commit says what ran."""

    made: RunInputs
    dirty: bool
    jobs: tuple[str, ...]
    nodes: tuple[str, ...]
    restarts: int
    gpu_hours: float
    attempts: tuple[Attempt, ...]


def pair_attempts(events: Sequence[Event]) -> Iterator[Attempt]:
    """Every start with its end. If nobody saw the end (a lost node), the next start ends it."""
    no_event = Event("", "unknown", 0, "", 0)
    for event, following in pairwise([*events, no_event]):
        if event.event == "start":
            seconds = following.time - event.time if following is not no_event else None
            end = "lost" if following.event == "start" else following.event
            yield Attempt(event.job, tuple(event.nodes.split(",")), event.gpus, seconds, end)


def build_manifest(folder: Path) -> Manifest:
    inputs = consistency.read_run_inputs(folder)
    history = folder / "history.jsonl"
    attempts = tuple(pair_attempts(list(jsonl.read(history, Event)) if history.exists() else []))
    gpu_seconds = sum((attempt.seconds or 0) * attempt.gpus for attempt in attempts)
    return Manifest(
        made=inputs,
        dirty=bool(inputs.changed) or not inputs.commit,
        jobs=tuple(dict.fromkeys(attempt.job.split(".")[0] for attempt in attempts)),
        nodes=tuple(sorted({node for attempt in attempts for node in attempt.nodes})),
        restarts=max(0, len(attempts) - 1),
        gpu_hours=round(gpu_seconds / 3600, 6),
        attempts=attempts,
    )


def write(folder: Path) -> Manifest:
    manifest = build_manifest(folder)
    text = msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"
    atomic_write.write_bytes(folder / "manifest.json", text)
    return manifest


def main() -> None:
    write(Path())


if __name__ == "__main__":
    cli.run(main)
