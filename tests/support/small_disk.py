"""A file system of a few kilobytes: what a full disk does, without filling this machine's."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="NO SMALL DISK: only root may mount one")


@contextmanager
def mounted(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount an empty file system of this size on `folder` for as long as the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount(folder, "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def grow(folder: Path, kilobytes: int) -> None:
    """Give a mounted file system more space; it keeps its files."""
    _mount(folder, "-o", f"remount,size={kilobytes}k")


def fill(folder: Path) -> Path:
    """Use up all space that is left, with one file."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as out:
        try:
            while True:
                out.write(bytes(4096))
        except OSError:
            return filler


def _mount(folder: Path, *options: str) -> None:
    subprocess.run(["mount", *options, str(folder)], check=True)
