"""A name for all that shapes a result, so that work left by other input is never taken up."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from trajectory.records import BadInput, Record

MODEL = ("*.safetensors", "*.json")  # what of a model's folder shapes its answers


def run_key(settings: Record, world: int, inputs: Iterable[Path]) -> str:
    """16 hex digits over the settings, the number of processes and every input's bytes.

    A folder stands for the weights and settings of the model in it.
    """
    digest = hashlib.blake2b(f"{settings!r} {world}".encode(), digest_size=8)
    for path in inputs:
        for file in _files(path):
            with open(file, "rb") as content:
                digest.update(hashlib.file_digest(content, "blake2b").digest())
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for pattern in MODEL for file in path.glob(pattern))
    if not any(file.suffix == ".safetensors" for file in files):
        raise BadInput(f"{path}: no safetensors here")
    return files
