"""Rows of other people's data: a file, a folder laid out like a hub set, or a hub set itself.

A hub set is named with its commit, `owner/name@<40 hex digits>`. A branch or a tag may move, and
then the same name would give other data tomorrow. All splits are read, in their order.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agent_tuning.converters import documents
from agent_tuning.records import BadInput, Json

HUB_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>.*))?")
COMMIT = re.compile(r"[0-9a-f]{40}")


def read_rows(source: str) -> Iterator[tuple[str, Json]]:
    """Every row with its place, which an error names."""
    path = Path(source)
    if path.suffix == ".jsonl":
        yield from _read_lines(path)
    elif path.suffix == ".json":
        listed = documents.convert_part(documents.read(path), list[Json], path, "")
        yield from ((f"{path}: {number}", row) for number, row in enumerate(listed))
    elif path.suffix == ".parquet" and path.is_file():
        yield from _load_data_set("parquet", None, source, data_files=source)
    elif path.is_dir():
        yield from _load_data_set(source, None, source)
    else:
        name = HUB_NAME.fullmatch(source)
        if not name:
            raise BadInput(f"{source}: expected a file, a folder or owner/name@revision")
        if not COMMIT.fullmatch(name["revision"] or ""):
            pinned = f"{name['name']}@<40 hex digits>"
            raise BadInput(f"{source}: expected a pinned revision of the hub set, {pinned}")
        yield from _load_data_set(name["name"], name["revision"], source)


def _read_lines(path: Path) -> Iterator[tuple[str, Json]]:
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield f"{path}:{number}", msgspec.json.decode(line)
            except msgspec.DecodeError as error:
                raise BadInput(f"{path}:{number}: {error}") from error


def _load_data_set(
    name: str, revision: str | None, source: str, data_files: str | None = None
) -> Iterator[tuple[str, Json]]:
    import datasets  # half a second

    try:
        splits = datasets.load_dataset(name, revision=revision, data_files=data_files)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise BadInput(f"{source}: {str(error).splitlines()[0]}") from error
    for split, table in splits.items():
        for number, row in enumerate(table):
            yield f"{source}: {split} {number}", _drop_nulls(row)


def _drop_nulls(value: Json) -> Json:
    """The value without nulls: a table gives every row the keys of all rows."""
    if isinstance(value, dict):
        return {key: _drop_nulls(part) for key, part in value.items() if part is not None}
    return [_drop_nulls(part) for part in value] if isinstance(value, list) else value
