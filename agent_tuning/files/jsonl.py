"""Records to and from JSON Lines."""

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from agent_tuning.files import atomic_write, json_file
from agent_tuning.records import BadInput

T = TypeVar("T")

MAX_PROBLEM = 300  # characters: an unknown field may have any name


def read(path: Path, kind: type[T]) -> Iterator[T]:
    """Yield one record per line; the first bad line stops with its number and field.

    Blank lines at the end are none: editors leave them there.
    """
    decode = msgspec.json.Decoder(kind).decode
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield decode(line)
            except json_file.UNREADABLE as error:
                if not (line + lines.read()).strip():
                    return
                raise locate(path, number, line, error) from error


def locate(path: Path, number: int, line: bytes, error: Exception) -> BadInput:
    """The error for a line that holds no record; the first line is 1."""
    problem = str(error)[:MAX_PROBLEM]
    if not line.strip():
        problem = "an empty line: expected a record; delete the line"
    elif line.startswith(codecs.BOM_UTF8):
        problem = "a byte order mark: save the file as UTF-8 without it"
    return BadInput(f"{path}:{number}: {problem}")


class Lines(Generic[T]):
    """The records of a file, read again by every loop over them: they need not fit into memory."""

    def __init__(self, path: Path, kind: type[T]) -> None:
        self.path = path
        self.kind = kind

    def __iter__(self) -> Iterator[T]:
        return read(self.path, self.kind)


def write(path: Path, records: Iterable[object]) -> int:
    """Write all records or nothing; return how many."""
    with atomic_write.replacing(path) as partial, open(partial, "wb") as out:
        return sum(1 for record in records if out.write(msgspec.json.encode(record) + b"\n"))
