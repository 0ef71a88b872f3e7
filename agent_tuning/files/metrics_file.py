"""Metrics as DVC reads them: flat names, plain numbers, the same bytes every time."""

import json
from collections.abc import Mapping
from pathlib import Path

from agent_tuning.files import atomic_write

DIGITS = 6


def write(path: Path, metrics: Mapping[str, float | int]) -> None:
    """Sorted keys, floats rounded to DIGITS; no time, path or host."""
    rounded = {name: round(value, DIGITS) for name, value in metrics.items()}
    atomic_write.write_text(path, json.dumps(rounded, indent=2, sort_keys=True) + "\n")
