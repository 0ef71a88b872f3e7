"""Trajectories of others as ours: `python -m agent_tuning.converters.load FORMAT SOURCE TARGET`.

SOURCE is a .jsonl, .json, .parquet or .csv file, a folder of them, or a hub set with its commit.
TARGET is a new file, JSON Lines of Group. Neighbouring trajectories of one group are joined again.

`--ignore FIELD,FIELD` names fields of the rows that mean nothing here, such as `messages.score`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain, groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from agent_tuning.converters import READERS, RowReader, row_fields, sources, targets
from agent_tuning.converters.sources import SkippedRow, UnreadableRow
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli

NOWHERE: Mapping[str, Collection[str]] = MappingProxyType({})


def find_reader(name: str) -> RowReader:
    if name not in READERS:
        raise BadInput(f"unknown format {name}; available: {', '.join(READERS)}")
    return READERS[name]


def read_groups(name: str, source: str, ignored: Collection[str] = ()) -> Iterator[Group]:
    """The groups of a source. Raises BadInput with place and field at the first bad row."""

    def refuse_bad_rows() -> Iterator[Group]:
        for row in read_rows(name, source, ignored):
            if isinstance(row, UnreadableRow):
                raise BadInput(f"{row.place}: {row.problem}")
            if isinstance(row, Group):
                yield row

    return join_groups(refuse_bad_rows())


def read_rows(
    name: str,
    source: str,
    ignored: Collection[str] = (),
    part: sources.Part = sources.WHOLE,
    where: Mapping[str, Collection[str]] = NOWHERE,
) -> Iterator[Group | UnreadableRow | SkippedRow]:
    """Every row of a source, or of a part of it, as a group of one, or why it is none.

    With `where`, rows whose fields have other values are skipped. Where several rows are one
    conversation, they wait in memory until all are read.
    """
    form = find_reader(name)
    waiting: dict[str, list[Any]] = {}
    places: dict[str, str] = {}
    for row in sources.read_rows(source, part):
        if isinstance(row, UnreadableRow):
            yield row
            continue
        try:
            if not sources.is_wanted(row, where):
                yield SkippedRow(row.place)
                continue
            converted = row_fields.convert(row.value, form.row, ignored)
            if form.key is None:
                yield form.read(converted)
                continue
        except ValueError as error:
            yield UnreadableRow(row.place, str(error))
            continue
        key = form.key(converted)
        waiting.setdefault(key, []).append(converted)
        places.setdefault(key, row.place)
    for key, members in waiting.items():
        try:
            yield form.read(members)
        except ValueError as error:
            yield UnreadableRow(places[key], str(error))


def join_groups(singles: Iterable[Group]) -> Iterator[Group]:
    """Joins neighbouring groups of one trajectory that came from the same group."""
    for group, members in groupby(singles, _empty_group):
        trajectories = tuple(chain.from_iterable(m.trajectories for m in members))
        yield msgspec.structs.replace(group, trajectories=trajectories)


def _empty_group(group: Group) -> Group:
    return msgspec.structs.replace(group, trajectories=())


def main(name: Path, source: Path, target: Path, *, ignore: Path | None = None) -> None:
    find_reader(str(name))
    ignored = str(ignore).split(",") if ignore else ()
    count = targets.write(target, read_groups(str(name), str(source), ignored))
    print(f"{target}: {count} groups")


if __name__ == "__main__":
    cli.run(main)
