"""A step that somebody has not taken yet: one line that says what to run."""

from pathlib import Path

from agent_tuning.records import BadInput


def expect(path: Path, what: str, command: str) -> None:
    """Raise BadInput if `path` is not there: no `what` yet, run `command`."""
    if not path.exists():
        raise BadInput(f"{path}: no {what} yet: run `{command}`")
