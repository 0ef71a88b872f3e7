"""The commands that wait for a launcher: make, the shell and dvc above it.

If one of them is killed, those below it keep running, and the next `make train` would find dvc's
lock held by a command that nobody reads. A launcher that sees this exits too. Its job stays.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from agent_tuning.records import BadInput


def watch_parents() -> Callable[[], None]:
    """Check now that all parents live, and return the check, which raises BadInput if one is gone.

    slurm/launch/train names the top one in CALLER.
    """
    parents = _list_parents()
    caller = int(os.environ.get("CALLER", parents[0] if parents else 0))

    def check() -> None:
        if _list_parents() != parents or (parents and caller not in parents):
            raise BadInput("the launching command was killed; its Slurm job continues")

    check()
    return check


def _list_parents() -> list[int]:
    """Process ids from our parent upwards, as far as they belong to the same command line."""
    parents: list[int] = []
    process = os.getppid()
    while process > 1 and _read_group(process) == os.getpgrp():
        parents.append(process)
        process = _read_parent(process)
    return parents


def _read_group(process: int) -> int:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return 0


def _read_parent(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return 0
    match = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
    return int(match.group(1)) if match else 0
