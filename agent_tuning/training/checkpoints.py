"""Checkpoints that survive a kill at any moment: one counts only with its COMPLETE marker.

The marker is written last and lists every file with its size. So an incomplete or truncated
checkpoint is recognised. transformers' own `get_last_checkpoint` takes the highest number, complete
or not.
"""

import shutil
from pathlib import Path

import msgspec
from datasets.exceptions import DatasetGenerationError
from safetensors import SafetensorError

from agent_tuning.files import atomic_write, json_file
from agent_tuning.records import BadInput, Record

MARKER = "COMPLETE"
# What libraries raise in place of OSError where a checkpoint or its cache cannot be written.
DISK_ERRORS = (RuntimeError, SafetensorError, DatasetGenerationError)


class Marker(Record, frozen=True):
    """How many ranks wrote the checkpoint, and the size of every file in bytes."""

    ranks: int
    files: dict[str, int]


def mark_complete(folder: Path, ranks: int) -> None:
    """Write the marker of a checkpoint that all `ranks` have finished writing."""
    sizes = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(MARKER)
    }
    with atomic_write.replacing(folder / MARKER, synced=True) as partial:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(Marker(ranks, sizes))))


def find_problem(folder: Path) -> str | None:
    """Say why a checkpoint is not complete; None if it is."""
    marker = folder / MARKER
    if not marker.exists():
        return f"{folder}: incomplete checkpoint (no {MARKER} marker)"
    try:
        files = json_file.read(marker, Marker).files
    except BadInput as error:
        return str(error)
    for name, size in files.items():
        path = folder / name
        actual = path.stat().st_size if path.exists() else 0
        if actual != size:
            return f"{path}: {actual} bytes, expected {size}"
    return None


def find_newest(run: Path, ranks: int) -> tuple[Path | None, list[str]]:
    """The newest complete checkpoint of a run, and why newer ones were skipped.

    Skipped ones are removed: an incomplete one must not count as one of the two that are kept.
    Raises BadInput for a checkpoint of another number of ranks. DeepSpeed could convert it
    ("universal checkpoints"), but 0.19.8 then gives every parameter the weight decay of the first
    group.
    """
    folders = [path for path in run.glob("checkpoint-*") if path.is_dir()]
    problems: list[str] = []
    for folder in sorted(folders, key=lambda path: -int(path.name.rsplit("-", 1)[1])):
        problem = find_problem(folder)
        if problem is None:
            written_by = json_file.read(folder / MARKER, Marker).ranks
            if written_by != ranks:
                raise BadInput(
                    f"{folder}: written by {written_by} ranks, but this run has {ranks};"
                    f" run with {written_by} ranks, or delete {run} to start again"
                )
            return folder, problems
        problems.append(problem)
        shutil.rmtree(folder)
    return None, problems
