"""Digests of inputs, remembered: a base model of 145 GB is read once and not at every call."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

MEMORY = Path("scratch/digests.json")


def hash_files(paths: Iterable[Path], memory: Path = MEMORY) -> dict[str, str]:
    """Digest of every file of the paths, folders walked; unchanged size, time and inode trust."""
    known: dict[str, list[str]] = json.loads(memory.read_text()) if memory.exists() else {}
    found: dict[str, list[str]] = {}
    for file in _files(paths):
        status = file.stat()
        stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
        name = str(file)
        if known.get(name, [""])[0] == stamp:
            found[name] = known[name]
        else:
            with open(file, "rb") as content:
                found[name] = [stamp, hashlib.file_digest(content, "blake2b").hexdigest()[:32]]
    if any(known.get(name) != entry for name, entry in found.items()):
        memory.parent.mkdir(parents=True, exist_ok=True)
        partial = memory.with_name(f"{memory.name}.{os.getpid()}")  # two stages may run at once
        partial.write_text(json.dumps(known | found))
        partial.replace(memory)
    return {name: digest for name, (_, digest) in found.items()}


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(file for file in path.rglob("*") if file.is_file()) or [path]
