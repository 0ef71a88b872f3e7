"""Hashes of files, cached: a base model of 145 GB is read once, not at every call."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from agent_tuning.files import atomic_write, json_file

CACHE = Path("scratch/digests.json")


def hash_files(paths: Iterable[Path], cache: Path = CACHE) -> dict[str, str]:
    """Hash every file of `paths` (32 hex digits of BLAKE2b, by file name), folders recursively.

    A file whose size, modification time and inode are those in the cache is not read again.
    """
    known = _read_cache(cache)
    hashes: dict[str, tuple[str, str]] = {}
    for file in _list_files(paths):
        status = file.stat()
        stamp = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
        name = str(file)
        if known.get(name, ("",))[0] == stamp:
            hashes[name] = known[name]
        else:
            with open(file, "rb") as content:
                hashes[name] = stamp, hashlib.file_digest(content, "blake2b").hexdigest()[:32]
    if any(known.get(name) != entry for name, entry in hashes.items()):
        # two stages may run at once
        with atomic_write.replacing(cache, suffix=f".{os.getpid()}") as partial:
            partial.write_bytes(msgspec.json.encode(known | hashes))
    return {name: digest for name, (_, digest) in hashes.items()}


def _read_cache(cache: Path) -> dict[str, tuple[str, str]]:
    """Stamp and hash of each file; nothing if there is no cache or it is damaged."""
    try:
        return msgspec.json.decode(cache.read_bytes(), type=dict[str, tuple[str, str]])
    except (FileNotFoundError, *json_file.UNREADABLE):
        return {}


def _list_files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(file for file in path.rglob("*") if file.is_file()) or [path]
