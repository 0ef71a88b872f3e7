"""Hashes of files, cached: a base model of 145 GB is read once, not at every call."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

CACHE = Path("scratch/digests.json")


def hash_files(paths: Iterable[Path], cache: Path = CACHE) -> dict[str, str]:
    """Hash every file of `paths` (32 hex digits of BLAKE2b, by file name), folders recursively.

    A file whose size, modification time and inode are those in the cache is not read again.
    """
    known: dict[str, list[str]] = json.loads(cache.read_text()) if cache.exists() else {}
    hashes: dict[str, list[str]] = {}
    for file in _list_files(paths):
        status = file.stat()
        stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
        name = str(file)
        if known.get(name, [""])[0] == stamp:
            hashes[name] = known[name]
        else:
            with open(file, "rb") as content:
                hashes[name] = [stamp, hashlib.file_digest(content, "blake2b").hexdigest()[:32]]
    if any(known.get(name) != entry for name, entry in hashes.items()):
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_name(f"{cache.name}.{os.getpid()}")  # two stages may run at once
        partial.write_text(json.dumps(known | hashes))
        partial.replace(cache)
    return {name: digest for name, (_, digest) in hashes.items()}


def _list_files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(file for file in path.rglob("*") if file.is_file()) or [path]
