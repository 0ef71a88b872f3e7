"""Records to and from CSV: a header of field names, an empty cell for None."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from agent_tuning.records import BadInput

T = TypeVar("T", bound=msgspec.Struct)


def read(path: Path, kind: type[T]) -> Iterator[T]:
    """Yield one record per row; the first bad row stops with its number and field."""
    try:
        lines = io.StringIO(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    for number, row in enumerate(csv.DictReader(lines), 2):
        fields = {name: cell for name, cell in row.items() if cell != ""}
        try:
            yield msgspec.convert(fields, kind, strict=False)
        except msgspec.ValidationError as error:
            raise BadInput(f"{path}:{number}: {error}") from error


def write(path: Path, kind: type[T], rows: Iterable[T]) -> None:
    """Write a header and one line a record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, kind.__struct_fields__, lineterminator="\n")
        table.writeheader()
        table.writerows(msgspec.structs.asdict(row) for row in rows)
