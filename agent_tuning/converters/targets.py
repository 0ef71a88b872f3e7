"""Where an import or export writes: a new file, whole or not at all."""

import os
from collections.abc import Iterable
from pathlib import Path

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput


def write(target: Path, records: Iterable[object]) -> int:
    """Write records as JSON Lines; return how many.

    Raises BadInput if the file is there already or cannot be written. What is refused in the middle
    leaves nothing behind.
    """
    check(target)
    partial = target.with_name(target.name + ".partial")
    try:
        return jsonl.write(target, records)
    except OSError as error:
        raise BadInput(f"{target}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def check(target: Path) -> None:
    """Raise BadInput unless a new file can be written here."""
    if target.exists():
        raise BadInput(f"{target}: already exists; choose another file or delete it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{target.parent}: {error.strerror}") from error
    if not os.access(target.parent, os.W_OK):
        raise BadInput(f"{target}: the folder cannot be written")
