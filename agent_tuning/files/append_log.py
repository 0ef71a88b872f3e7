"""A JSON Lines file that a long command appends to, so that a killed run resumes from it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from agent_tuning.files import jsonl

T = TypeVar("T")


def read_complete(path: Path, kind: type[T]) -> list[T]:
    """Read the records of earlier runs, [] if there is no file.

    A kill can leave an incomplete last line. It is cut off, so that `append` starts a new line. A
    bad line before it raises BadInput with its number.
    """
    if not path.exists():
        return []
    os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
    return list(jsonl.read(path, kind))


def append(path: Path, records: Iterable[object]) -> None:
    """Append one line a record; they are on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as out:
        out.write(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
        out.flush()
        os.fsync(out.fileno())
