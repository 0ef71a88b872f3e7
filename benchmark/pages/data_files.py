"""The files of a recipe's data, as pages read them: those that are not made yet hold nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from agent_tuning.files import jsonl

T = TypeVar("T")

REJECTS = {"rejects.jsonl": "verify", "written_rejects.jsonl": "written"}  # file -> stage
IMPORT_REJECTS = "import_rejects.jsonl"


def read_made(path: Path, kind: type[T]) -> Iterator[T]:
    """The records of a file; none if it is not there. Raises BadInput for a damaged line."""
    return jsonl.read(path, kind) if path.exists() else iter(())


def format_json(record: msgspec.Struct) -> str:
    return msgspec.json.encode(record).decode("utf-8", "replace")
