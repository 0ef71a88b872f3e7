"""Checkpoints that survive a kill at any moment: one counts only with its COMPLETE marker.

The marker is written last and lists every file with its size, so a torn or truncated checkpoint
is told from a whole one. transformers' own `get_last_checkpoint` takes the highest number, torn
or not.
"""

import os
import shutil
from pathlib import Path

import msgspec

from agent_tuning.records import BadInput, Record

MARKER = "COMPLETE"


class Marker(Record, frozen=True):
    """How many ranks wrote the checkpoint, and the size of every file in bytes."""

    ranks: int
    files: dict[str, int]


def mark_complete(folder: Path, ranks: int) -> None:
    """Mark a checkpoint as whole."""
    sizes = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(MARKER)
    }
    partial = folder / f"{MARKER}.partial"
    with open(partial, "wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(Marker(ranks, sizes))))
        out.flush()
        os.fsync(out.fileno())
    partial.rename(folder / MARKER)


def find_problem(folder: Path) -> str | None:
    """Why a checkpoint cannot be resumed from; None if it can."""
    marker = folder / MARKER
    if not marker.exists():
        return f"{folder}: no {MARKER} marker, it was not finished"
    try:
        files = _read(folder).files
    except msgspec.DecodeError as error:
        return f"{marker}: {error}"
    for name, size in files.items():
        path = folder / name
        found = path.stat().st_size if path.exists() else 0
        if found != size:
            return f"{path}: {found} bytes of {size}"
    return None


def find_newest(run: Path, ranks: int) -> tuple[Path | None, list[str]]:
    """The newest whole checkpoint of a run, and why newer ones were passed over.

    Those are removed: a torn one must not count as one of the two that are kept. A checkpoint of
    another number of ranks is refused: DeepSpeed could convert it ("universal checkpoints"), but
    then gives every parameter the weight decay of the first group (0.19.8).
    """
    folders = [path for path in run.glob("checkpoint-*") if path.is_dir()]
    problems: list[str] = []
    for folder in sorted(folders, key=lambda path: -int(path.name.rsplit("-", 1)[1])):
        found = find_problem(folder)
        if found is None:
            wrote = _read(folder).ranks
            if wrote != ranks:
                raise BadInput(
                    f"{folder}: written by {wrote} ranks, this run has {ranks}: go on with"
                    f" {wrote}, or remove {run} to train anew"
                )
            return folder, problems
        problems.append(found)
        shutil.rmtree(folder)
    return None, problems


def _read(folder: Path) -> Marker:
    return msgspec.json.decode((folder / MARKER).read_bytes(), type=Marker)
