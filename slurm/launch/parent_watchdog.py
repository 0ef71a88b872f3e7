"""The commands that wait for us: make, the shell and dvc above a launcher.

A killed one leaves those below it running, and the next `make train` would find dvc's lock held by
a command that nobody reads. A launcher that sees one gone leaves as well; its job stays.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from agent_tuning.records import BadInput


def watch_parents() -> Callable[[], None]:
    """A check that raises BadInput once one is gone; `train` names the top one, CALLER."""
    waiting = _above()
    named = int(os.environ.get("CALLER", waiting[0] if waiting else 0))

    def check() -> None:
        if _above() != waiting or (waiting and named not in waiting):
            raise BadInput("the command that waited here was killed; a job that is there goes on")

    check()
    return check


def _above() -> list[int]:
    """Process ids from our parent upwards, as far as they belong to the same command line."""
    found: list[int] = []
    process = os.getppid()
    while process > 1 and _group(process) == os.getpgrp():
        found.append(process)
        process = _parent(process)
    return found


def _group(process: int) -> int:
    try:
        return os.getpgid(process)
    except ProcessLookupError:
        return 0


def _parent(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return 0
    found = re.search(r"^PPid:\s+(\d+)", status, re.MULTILINE)
    return int(found.group(1)) if found else 0
