"""Rows of other people's data: a file, a folder laid out like a hub set, or a hub set itself.

A hub set is named with its commit, `owner/name@<40 hex digits>`. A branch or a tag may move, and
then the same name would give other data tomorrow. All splits are read, in their order, unless a
part of the set is named.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from agent_tuning.converters import documents
from agent_tuning.converters.row_fields import ABOUT_A_ROW
from agent_tuning.files import strict_json
from agent_tuning.records import BadInput, Json

HUB_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>.*))?")
COMMIT = re.compile(r"[0-9a-f]{40}")
MAX_LINE = 64 * 2**20  # bytes of one row


class Part(NamedTuple):
    """A part of a data set: a configuration (also called subset), and splits. Empty: all."""

    config: str = ""
    splits: tuple[str, ...] = ()


WHOLE = Part()
TABLES = {".parquet": "parquet", ".csv": "csv"}
FILES = (".jsonl", ".json", *TABLES)


class Row(NamedTuple):
    """A row, and where it is, which an error names."""

    place: str
    value: Json


class SkippedRow(NamedTuple):
    """A row that nobody asked for."""

    place: str


class UnreadableRow(NamedTuple):
    """A row that cannot be read: where it is, and why."""

    place: str
    problem: str


def read_rows(source: str, part: Part = WHOLE) -> Iterator[Row | UnreadableRow]:
    """Every row of a source. Raises BadInput if it has none that could be told apart."""
    path = Path(source)
    if part != WHOLE and (path.is_file() or path.suffix in FILES):
        raise BadInput(f"{source}: a file has no config and splits; expected a folder or hub set")
    if path.suffix == ".jsonl":
        yield from _read_lines(path)
    elif path.suffix == ".json":
        listed = documents.convert_part(documents.read(path), list[Json], path, "")
        yield from (Row(f"{path}: {number}", row) for number, row in enumerate(listed))
    elif path.suffix in TABLES and path.is_file():
        yield from _load_data_set(TABLES[path.suffix], None, source, part, data_files=source)
    elif path.is_dir():
        yield from _load_data_set(source, None, source, part)
    else:
        name = HUB_NAME.fullmatch(source)
        if not name:
            raise BadInput(f"{source}: expected a file, a folder or owner/name@revision")
        if not COMMIT.fullmatch(name["revision"] or ""):
            pinned = f"{name['name']}@<40 hex digits>"
            raise BadInput(f"{source}: expected a pinned revision of the hub set, {pinned}")
        yield from _load_data_set(name["name"], name["revision"], source, part)


def is_wanted(row: Row, where: Mapping[str, Collection[str]]) -> bool:
    """Whether each of these fields has one of its values. Raises ValueError if one is not there."""
    fields = row.value if isinstance(row.value, dict) else {}
    for name, values in where.items():
        if name not in fields:
            raise ValueError(f"{name}: expected one of {', '.join(values)}, found no such field")
        if str(fields[name]) not in values:
            return False
    return True


def _read_lines(path: Path) -> Iterator[Row | UnreadableRow]:
    """The value of every line that is not blank."""
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    with open(path, "rb") as lines:
        number = 0
        while line := lines.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise BadInput(f"{path}:{number}: expected at most {MAX_LINE >> 20} MiB a line")
            if line.strip():
                yield _read_line(f"{path}:{number}", line)


def _read_line(place: str, line: bytes) -> Row | UnreadableRow:
    try:
        return Row(place, strict_json.decode(line))
    except UnicodeDecodeError as error:
        return UnreadableRow(place, f"expected UTF-8: {error.reason}")
    except json.JSONDecodeError as error:
        return UnreadableRow(place, f"expected JSON: {error.msg} at character {error.pos + 1}")
    except ValueError as error:
        return UnreadableRow(place, str(error))


def _load_data_set(
    name: str, revision: str | None, source: str, part: Part, data_files: str | None = None
) -> Iterator[Row | UnreadableRow]:
    import datasets  # half a second

    try:
        config = [part.config] if part.config else []
        # A folder with a card is prepared under its name alone: another may have had that name.
        again = "force_redownload" if revision is None and data_files is None else None
        splits = datasets.load_dataset(
            name, *config, revision=revision, data_files=data_files, download_mode=again
        )
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise BadInput(f"{source}: {str(error).splitlines()[0]}") from error
    if unknown := set(part.splits) - set(splits):
        raise BadInput(
            f"{source}: no split {', '.join(sorted(unknown))}; available: {', '.join(splits)}"
        )
    for split, table in splits.items():
        if part.splits and split not in part.splits:
            continue
        for number, row in enumerate(table):
            place = f"{source}: {split} {number}"
            try:
                strict_json.check(row)
                read = {k: _read_column(k, v) for k, v in row.items() if v is not None}
            except ValueError as error:
                yield UnreadableRow(place, str(error))
            else:
                yield Row(place, read)


def _read_column(name: str, value: Json) -> Json:
    """A value as JSON has it. What only names a row, and a column of one value, may be a time."""
    if name in ABOUT_A_ROW or not isinstance(value, dict | list):
        return value
    return _drop_nulls(value, name)


def _drop_nulls(value: Json, place: str) -> Json:
    """The value without nulls: a table gives every row the keys of all rows.

    A table also makes times of texts, and then nobody knows what was written: a ValueError.
    """
    if isinstance(value, dict):
        return {k: _drop_nulls(v, f"{place}.{k}") for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_drop_nulls(part, f"{place}.{number}") for number, part in enumerate(value)]
    if not isinstance(value, str | int | float | None):
        problem = f"found a {type(value).__name__}, which JSON has not; a table makes one of a text"
        raise ValueError(f"{place}: {problem}: read the .jsonl files one by one")
    return value
