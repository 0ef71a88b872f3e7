"""Does this node see the code and the packages of the run? Runs in the run's folder.

A node whose mount is stale or whose environment is another would train something else, or wait for
ranks that cannot answer. One line says what differs.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

from agent_tuning.records import BadInput
from agent_tuning.runtime import cli
from slurm.launch import manifest

CODE_PACKAGES = ("stages", "agent_tuning", "benchmark", "slurm")
LOCK_FILE = Path("requirements.lock")
IGNORED_SUFFIXES = {".pyc", ".env"}  # by Python; by whoever describes the cluster


def hash_files(files: Iterable[Path]) -> str:
    """Of the contents, in the order given."""
    state = hashlib.blake2b(digest_size=16)
    for file in files:
        state.update(hashlib.blake2b(file.read_bytes()).digest())
    return state.hexdigest()


def list_code_files(folder: Path, packages: Sequence[str] = CODE_PACKAGES) -> list[Path]:
    found = (path for package in packages for path in (folder / package).rglob("*"))
    return sorted(path for path in found if path.is_file() and path.suffix not in IGNORED_SUFFIXES)


def read_pins(lock: Path) -> dict[str, str]:
    text = lock.read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def version_mismatches(lock: Path) -> Iterator[str]:
    """Installed packages that the lock has in another version; a build's +cu128 is none."""
    for name, version in read_pins(lock).items():
        try:
            here = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # what trains is imported, and then says so itself
        if here.split("+")[0] != version.split("+")[0]:
            yield f"{name} {here}, and {version} in {lock}"


def problems(folder: Path) -> Iterator[str]:
    made = manifest.build_manifest(folder).made
    if hash_files(list_code_files(folder)) != made.code:
        yield f"other code here than commit {made.commit[:12]} had in {folder / 'inputs.json'}"
    if hash_files([folder / LOCK_FILE]) != made.lock:
        yield f"another {LOCK_FILE} here than in {folder / 'inputs.json'}"
    yield from version_mismatches(folder / LOCK_FILE)


def main() -> None:
    if found := list(problems(Path())):
        raise BadInput("; ".join(found))


if __name__ == "__main__":
    cli.run(main)
