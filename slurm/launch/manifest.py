"""What a run was made from and what it took: python -m slurm.launch.manifest, in its folder.

reads   inputs.json     written once, with the folder
        history.jsonl   every start and end of its job
writes  manifest.json   both together; the job writes it at each of its ends, alone too
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.records import Record
from agent_tuning.runtime import cli


class RunInputs(Record, frozen=True):
    """What goes in. `changed`: files that differ from the commit; digests are BLAKE2b.

    `facts` are what the run's name hashes: the stage's numbers, the inputs' digests and the rest.
    """

    run: str
    commit: str
    changed: tuple[str, ...]
    lock: str
    code: str
    facts: dict[str, Any]


class Event(Record, frozen=True):
    """A line of history.jsonl: a start of the job, or an end of it."""

    job: str  # ID.RESTART
    event: str
    time: int  # Unix seconds
    nodes: str  # with commas
    gpus: int


class Attempt(Record, frozen=True):
    """`seconds` is None while nobody has seen the end."""

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


def attempts(events: Sequence[Event]) -> Iterator[Attempt]:
    """A start whose end nobody saw (a node lost) counts up to the next start."""
    nothing = Event("", "unknown", 0, "", 0)
    for event, after in pairwise([*events, nothing]):
        if event.event == "start":
            seconds = after.time - event.time if after is not nothing else None
            end = "lost" if after.event == "start" else after.event
            yield Attempt(event.job, tuple(event.nodes.split(",")), event.gpus, seconds, end)


def build_manifest(folder: Path) -> Manifest:
    made = msgspec.json.decode((folder / "inputs.json").read_bytes(), type=RunInputs)
    history = folder / "history.jsonl"
    every = tuple(attempts(list(jsonl.read(history, Event)) if history.exists() else []))
    seconds = sum((attempt.seconds or 0) * attempt.gpus for attempt in every)
    return Manifest(
        made=made,
        dirty=bool(made.changed) or not made.commit,
        jobs=tuple(dict.fromkeys(attempt.job.split(".")[0] for attempt in every)),
        nodes=tuple(sorted({node for attempt in every for node in attempt.nodes})),
        restarts=max(0, len(every) - 1),
        gpu_hours=round(seconds / 3600, 6),
        attempts=every,
    )


def write(folder: Path) -> Manifest:
    manifest = build_manifest(folder)
    partial = folder / "manifest.json.partial"
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    partial.replace(folder / "manifest.json")
    return manifest


def main() -> None:
    write(Path())


if __name__ == "__main__":
    cli.run(main)
