"""The version of a suite that people reviewed: `version.json` and `rejected.jsonl`."""

from pathlib import Path

import msgspec

from agent_tuning.files import atomic_write, json_file, jsonl
from agent_tuning.records import BadInput, Record
from benchmark.tasks.suites import Suite, Task


class Version(Record, frozen=True):
    """SUITE/version.json. A suite without one is version 1, as drafted."""

    version: int
    digest: str  # of this suite
    parent: str = ""  # digest of the version before
    merged: dict[str, tuple[str, ...]] = {}  # task -> who reviewed it
    corrected: tuple[str, ...] = ()
    rejected: dict[str, str] = {}  # task -> reason codes
    reviews: str = ""  # sha256 of the reviews file it was merged from


def read_version(folder: Path, suite: Suite) -> Version:
    """The version of a suite on disk. Raises BadInput if the suite was changed since its merge."""
    path = folder / "version.json"
    if not path.exists():
        return Version(1, suite.digest)
    version = json_file.read(path, Version)
    if version.digest != suite.digest:
        raise BadInput(
            f"{path}: digest: the suite has changed since version {version.version} was merged; "
            "restore the files of that version"
        )
    return version


def write_version(folder: Path, version: Version) -> None:
    text = msgspec.json.format(msgspec.json.encode(version, order="sorted"))
    atomic_write.write_bytes(folder / "version.json", text + b"\n")


def read_rejected(folder: Path) -> list[Task]:
    """The drafts that reviewers rejected or reworded, in all versions so far."""
    path = folder / "rejected.jsonl"
    return list(jsonl.read(path, Task)) if path.exists() else []
