"""Files and folders that appear whole or not at all: written beside their place, then renamed.

An output may be a hard link into DVC's cache. Opening it in place would change the cache with it,
and DVC would then trust a wrong number. A kill or a full disk would leave half of it.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent_tuning.records import BadInput

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
# What libraries say that hide the error of the system: safetensors, datasets, and torch's archives.
FULL_DISK_TEXTS = ("No space left on device", "Not enough disk space", "inline_container")


@contextmanager
def replacing(
    target: Path, *errors: type[Exception], suffix: str = ".partial", synced: bool = False
) -> Iterator[Path]:
    """Yield a free path beside `target`, for a file or a folder; then it becomes `target`.

    If the block raises, what it wrote is removed, and `target` is as it was. `errors` are what its
    library raises in place of OSError. `synced`: a file is on disk before it has its name. Raises
    BadInput if the disk is full.
    """
    partial = target.with_name(target.name + suffix)
    try:
        with explain_full_disk(target, *errors):
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove(partial)
            yield partial
            if synced:
                _sync(partial)
            if partial.is_dir() and target.exists():
                _exchange_folder(partial, target)
            else:
                os.replace(partial, target)
    finally:
        _remove(partial)


def write_bytes(target: Path, data: bytes) -> None:
    """Write a whole file or nothing. Raises BadInput if the disk is full."""
    with replacing(target) as partial:
        partial.write_bytes(data)


def write_text(target: Path, text: str) -> None:
    """Write a whole UTF-8 file or nothing. Raises BadInput if the disk is full."""
    write_bytes(target, text.encode())


@contextmanager
def explain_full_disk(path: Path, *errors: type[Exception]) -> Iterator[None]:
    """Raise BadInput, with the space that is left, where the block finds no space to write `path`.

    `errors` are types that a library raises in place of OSError.
    """
    kinds: tuple[type[Exception], ...] = (OSError, *errors)
    try:
        yield
    except kinds as error:
        if not _is_full_disk(error):
            raise
        raise BadInput(describe_full_disk(path)) from error


def describe_full_disk(path: Path) -> str:
    """The line for people: which file found no space, and how much is free there."""
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 1e6
    return (
        f"{path}: no space left to write it ({free:.1f} MB are free); "
        "free some, then run the same command again"
    )


def _is_full_disk(error: BaseException | None) -> bool:
    """True if the error, or one that it came from, says so."""
    if error is None:
        return False
    full = isinstance(error, OSError) and error.errno in FULL_DISK
    if full or any(text in str(error) for text in FULL_DISK_TEXTS):
        return True
    return _is_full_disk(error.__cause__ or error.__context__)


def _sync(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _exchange_folder(partial: Path, target: Path) -> None:
    """Move the old folder away, the new one in, and only then remove the old one.

    Half of a folder is never in its place, and none for no longer than two renames take.
    """
    old = target.with_name(target.name + ".old")
    _remove(old)
    os.replace(target, old)
    os.replace(partial, target)
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
