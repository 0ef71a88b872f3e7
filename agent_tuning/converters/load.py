"""Trajectories of others as ours: `python -m agent_tuning.converters.load FORMAT SOURCE TARGET`.

SOURCE is a .jsonl, .json or .parquet file, a folder of them, or a hub set with its commit;
TARGET is JSON Lines of Group. Neighbours that belong to one group share it again.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import msgspec

from agent_tuning.converters import FORMATS, Format, sources
from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli


def form(name: str) -> Format:
    if name not in FORMATS:
        raise BadInput(f"no format {name}; there are {', '.join(FORMATS)}")
    return FORMATS[name]


def groups(name: str, source: str) -> Iterator[Group]:
    """The groups of a source; the first bad row stops with its place and field."""
    return joined(_single(form(name), source))


def _single(form: Format, source: str) -> Iterator[Group]:
    for place, row in sources.rows(source):
        try:
            yield form.read(msgspec.convert(row, form.row))
        except ValueError as error:
            raise BadInput(f"{place}: {error}") from error


def joined(singles: Iterable[Group]) -> Iterator[Group]:
    """Groups of one to the groups they came from."""
    for alike, members in groupby(
        singles, lambda one: msgspec.structs.replace(one, trajectories=())
    ):
        trajectories = tuple(one for member in members for one in member.trajectories)
        yield msgspec.structs.replace(alike, trajectories=trajectories)


def main(name: Path, source: Path, target: Path) -> None:
    count = jsonl.write(target, groups(str(name), str(source)))
    print(f"{target}: {count} groups")


if __name__ == "__main__":
    cli.run(main)
