"""Where a base model comes from: a file beside its weights, for the card of the tuned model."""

from pathlib import Path

import msgspec

from agent_tuning.files import json_file
from agent_tuning.records import Record

FILE = "source.json"


class Provenance(Record, frozen=True):
    """`name` of the model, `origin`: what was downloaded, `license` as the download states it."""

    name: str
    origin: str
    license: str


def write(folder: Path, source: Provenance) -> None:
    (folder / FILE).write_bytes(msgspec.json.format(msgspec.json.encode(source)) + b"\n")


def read(folder: Path) -> Provenance:
    """Read where the model in `folder` comes from; all "unknown" if it has no such file."""
    path = folder / FILE
    if not path.exists():
        return Provenance("unknown", "unknown", "unknown")
    return json_file.read(path, Provenance)
