"""Our trajectories for others: `python -m agent_tuning.converters.save FORMAT GROUPS TARGET`.

TARGET is a new file, JSON Lines with one row for each trajectory.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from agent_tuning.converters import FORMATS, RowFormat, targets
from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Group
from agent_tuning.runtime import cli


def find_format(name: str) -> RowFormat:
    if name not in FORMATS:
        raise BadInput(f"unknown format {name}; available: {', '.join(FORMATS)}")
    return FORMATS[name]


def split_groups(groups: Iterable[Group]) -> Iterator[Group]:
    """Each trajectory in a group of its own."""
    for group in groups:
        for trajectory in group.trajectories:
            yield msgspec.structs.replace(group, trajectories=(trajectory,))


def main(name: Path, groups: Path, target: Path) -> None:
    row_format = find_format(str(name))
    count = targets.write(target, map(row_format.write, split_groups(jsonl.read(groups, Group))))
    lost = f"; it cannot hold {row_format.loses}" if row_format.loses else ""
    print(f"{target}: {count} rows{lost}")


if __name__ == "__main__":
    cli.run(main)
