"""What a job has written, as lines for the people who wait for it."""

import sys
from pathlib import Path


def print_from(position: int, log: Path) -> int:
    """Print the log from this byte on; its new size."""
    if not log.exists():
        return position
    with open(log, "rb") as file:
        file.seek(position)
        new = file.read()
    sys.stdout.write(new.decode(errors="replace"))
    sys.stdout.flush()
    return position + len(new)


def read_tail(log: Path, count: int) -> str:
    """The last `count` lines, indented."""
    text = log.read_text(errors="replace") if log.exists() else "(nothing)"
    return "\n".join(f"  {line}" for line in text.splitlines()[-count:])
