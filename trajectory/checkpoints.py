"""Checkpoints that survive a kill at any moment: one counts only with its COMPLETE marker.

The marker is written last and lists every file with its size, so a torn or truncated checkpoint
is told from a whole one. transformers' own `get_last_checkpoint` takes the highest number, torn
or not.
"""

import json
import os
from pathlib import Path

MARKER = "COMPLETE"


def complete(folder: Path) -> None:
    """Mark a checkpoint as whole."""
    sizes = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MARKER
    }
    partial = folder / f"{MARKER}.partial"
    with open(partial, "w", encoding="utf-8") as out:
        json.dump(sizes, out, indent=2)
        out.flush()
        os.fsync(out.fileno())
    partial.rename(folder / MARKER)


def problem(folder: Path) -> str | None:
    """Why a checkpoint cannot be resumed from; None if it can."""
    marker = folder / MARKER
    if not marker.exists():
        return f"{folder}: no {MARKER} marker, it was not finished"
    for name, size in json.loads(marker.read_text(encoding="utf-8")).items():
        path = folder / name
        found = path.stat().st_size if path.exists() else 0
        if found != size:
            return f"{path}: {found} bytes of {size}"
    return None


def newest(run: Path) -> tuple[Path | None, list[str]]:
    """The newest whole checkpoint of a run, and why newer ones were passed over."""
    folders = [path for path in run.glob("checkpoint-*") if path.is_dir()]
    problems: list[str] = []
    for folder in sorted(folders, key=lambda path: -int(path.name.rsplit("-", 1)[1])):
        found = problem(folder)
        if found is None:
            return folder, problems
        problems.append(found)
    return None, problems
