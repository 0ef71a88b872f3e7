"""Trajectories of others as ours: `python -m agent_tuning.converters.load FORMAT SOURCE TARGET`.

SOURCE is a .jsonl, .json or .parquet file, a folder of them, or a hub set with its commit;
TARGET is JSON Lines of Group. Neighbours that belong to one group share it again.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from agent_tuning.converters import FORMATS, RowFormat, sources
from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli


def find_format(name: str) -> RowFormat:
    if name not in FORMATS:
        raise BadInput(f"no format {name}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def read_groups(name: str, source: str) -> Iterator[Group]:
    """The groups of a source; the first bad row stops with its place and field."""
    return join_groups(_single(find_format(name), source))


def _single(form: RowFormat, source: str) -> Iterator[Group]:
    for place, row in sources.read_rows(source):
        try:
            yield form.read(msgspec.convert(row, form.row))
        except ValueError as error:
            raise BadInput(f"{place}: {error}") from error


def join_groups(singles: Iterable[Group]) -> Iterator[Group]:
    """Groups of one to the groups they came from."""
    for alike, members in groupby(
        singles, lambda one: msgspec.structs.replace(one, trajectories=())
    ):
        trajectories = tuple(one for member in members for one in member.trajectories)
        yield msgspec.structs.replace(alike, trajectories=trajectories)


def main(name: Path, source: Path, target: Path) -> None:
    count = jsonl.write(target, read_groups(str(name), str(source)))
    print(f"{target}: {count} groups")


if __name__ == "__main__":
    cli.run(main)
