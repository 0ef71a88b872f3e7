"""Signatures: two sets of metrics compare only if the same scorer and the same tasks made them.

`metrics/signatures.json` holds one signature for every suite. Older versions of the project kept a
suite's signature in its metrics file, as the key `signature.<signature>` with the value 1.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from agent_tuning.files import atomic_write, json_file, metrics_file
from benchmark.scoring import metrics

FILE_NAME = "signatures.json"
PREFIX = "signature."


def write_signatures(path: Path, signatures: Mapping[str, str]) -> None:
    """Write a JSON object, suite -> signature, sorted by suite."""
    encoded = msgspec.json.format(msgspec.json.encode(signatures, order="sorted"), indent=2)
    atomic_write.write_bytes(path, encoded + b"\n")


def write_signed_metrics(path: Path, values: Mapping[str, float], signature: str) -> None:
    """Write a metrics file with its signature in a key, because DVC shows numbers only."""
    metrics_file.write(path, {**values, f"{PREFIX}{signature}": 1})


def read_signatures(folder: Path, suites: Iterable[str]) -> dict[str, str]:
    """The signatures of `suites`, from the folder of metrics; a suite without one is left out.

    Raises BadInput if neither signatures.json nor the metrics file of a suite is there.
    """
    path = folder / FILE_NAME
    if not path.exists():
        old = {suite: _find_in_metrics(folder / f"{suite}.json") for suite in suites}
        return {suite: signature for suite, signature in old.items() if signature}
    stored = json_file.read(path, dict[str, str])
    return {suite: stored[suite] for suite in suites if suite in stored}


def _find_in_metrics(path: Path) -> str:
    keys = (name for name in metrics.read(path) if name.startswith(PREFIX))
    return next(keys, "").removeprefix(PREFIX)
