"""Trajectories of others as ours: `python -m agent_tuning.converters.load FORMAT SOURCE TARGET`.

SOURCE is a .jsonl, .json or .parquet file, a folder of them, or a hub set with its commit. TARGET
is a new file, JSON Lines of Group. Neighbouring trajectories of one group are joined again.

`--ignore FIELD,FIELD` names fields of the rows that mean nothing here, such as `messages.score`.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, groupby
from pathlib import Path

import msgspec

from agent_tuning.converters import READERS, RowReader, row_fields, sources, targets
from agent_tuning.converters.sources import UnreadableRow
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli


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
            yield row

    return join_groups(refuse_bad_rows())


def read_rows(
    name: str, source: str, ignored: Collection[str] = (), part: sources.Part = sources.WHOLE
) -> Iterator[Group | UnreadableRow]:
    """Every row of a source, or of a part of it, as a group of one, or why it is none."""
    form = find_reader(name)
    for row in sources.read_rows(source, part):
        if isinstance(row, UnreadableRow):
            yield row
            continue
        try:
            yield form.read(row_fields.convert(row.value, form.row, ignored))
        except ValueError as error:
            yield UnreadableRow(row.place, str(error))


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
