"""Metrics as DVC reads them: flat names, plain numbers, the same bytes every time."""

import json
from collections.abc import Mapping
from pathlib import Path

DIGITS = 6


def write(path: Path, metrics: Mapping[str, float | int]) -> None:
    """Sorted keys, floats rounded to DIGITS; no time, path or host."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = {name: round(value, DIGITS) for name, value in metrics.items()}
    path.write_text(json.dumps(rounded, indent=2, sort_keys=True) + "\n", encoding="utf-8")
