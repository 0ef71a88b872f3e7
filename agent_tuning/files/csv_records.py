"""Records to and from CSV: a header of field names, an empty cell for None."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from agent_tuning.files import atomic_write
from agent_tuning.records import BadInput

T = TypeVar("T", bound=msgspec.Struct)


def read(path: Path, kind: type[T]) -> Iterator[T]:
    """Yield one record per row; the first bad row stops with its number and field."""
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: expected UTF-8: {error.reason}") from error
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        if not set(rows.fieldnames or [""]) <= set(kind.__struct_fields__):
            expected = ", ".join(kind.__struct_fields__)
            raise BadInput(f"{path}:1: expected a header of these names: {expected}")
        for row in rows:
            fields = {name: cell for name, cell in row.items() if cell != ""}
            yield msgspec.convert(fields, kind, strict=False)
    except (csv.Error, msgspec.ValidationError) as error:
        raise BadInput(f"{path}:{rows.reader.line_num}: {error}") from error


def write(path: Path, kind: type[T], rows: Iterable[T]) -> None:
    """Write a header and one line a record."""
    text = io.StringIO()
    table = csv.DictWriter(text, kind.__struct_fields__, lineterminator="\n")
    table.writeheader()
    table.writerows(msgspec.structs.asdict(row) for row in rows)
    atomic_write.write_text(path, text.getvalue())
