"""A JSON Lines file that a long command appends to, so that a killed run resumes from it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from agent_tuning.files import atomic_write, jsonl

T = TypeVar("T")


def read_complete(path: Path, kind: type[T]) -> list[T]:
    """Read the records of earlier runs, [] if there is no file.

    A kill or a full disk can leave an incomplete last line. It is cut off, so that `append` starts
    a new line; nothing else of the file is ever written again. A bad line before it raises
    BadInput with its number.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    complete = content.rfind(b"\n") + 1
    if complete < len(content):
        os.truncate(path, complete)
    return list(jsonl.read(path, kind))


def append(path: Path, records: Iterable[object]) -> None:
    """Append one line a record; they are on disk when this returns.

    The first starts a new line even if a person left out the end of the last one.
    """
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    with atomic_write.explain_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b") as out:
            out.seek(max(0, out.seek(0, os.SEEK_END) - 1))
            complete = out.read(1) in (b"", b"\n")
            out.write(lines if complete else b"\n" + lines)
            out.flush()
            os.fsync(out.fileno())
