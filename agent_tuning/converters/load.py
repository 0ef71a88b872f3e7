"""Trajectories of others as ours: `python -m agent_tuning.converters.load FORMAT SOURCE TARGET`.

SOURCE is a .jsonl, .json or .parquet file, a folder of them, or a hub set with its commit. TARGET
is JSON Lines of Group. Neighbouring trajectories of one group are joined again.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from pathlib import Path

import msgspec

from agent_tuning.converters import FORMATS, RowFormat, sources
from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli


def find_format(name: str) -> RowFormat:
    if name not in FORMATS:
        raise BadInput(f"unknown format {name}; available: {', '.join(FORMATS)}")
    return FORMATS[name]


def read_groups(name: str, source: str) -> Iterator[Group]:
    """The groups of a source. Raises BadInput with place and field at the first bad row."""
    return join_groups(_read_singles(find_format(name), source))


def _read_singles(form: RowFormat, source: str) -> Iterator[Group]:
    for place, row in sources.read_rows(source):
        try:
            yield form.read(msgspec.convert(row, form.row))
        except ValueError as error:
            raise BadInput(f"{place}: {error}") from error


def join_groups(singles: Iterable[Group]) -> Iterator[Group]:
    """Joins neighbouring groups of one trajectory that came from the same group."""
    for group, members in groupby(singles, _empty_group):
        trajectories = tuple(chain.from_iterable(m.trajectories for m in members))
        yield msgspec.structs.replace(group, trajectories=trajectories)


def _empty_group(group: Group) -> Group:
    return msgspec.structs.replace(group, trajectories=())


def main(name: Path, source: Path, target: Path) -> None:
    count = jsonl.write(target, read_groups(str(name), str(source)))
    print(f"{target}: {count} groups")


if __name__ == "__main__":
    cli.run(main)
