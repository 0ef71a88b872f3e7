"""A name for all that shapes a result, so that work left by other input is never taken up."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from agent_tuning.files import file_hashes
from agent_tuning.records import BadInput, Record

MODEL = ("*.safetensors", "*.json")


def compute_run_key(settings: Record, inputs: Iterable[Path]) -> str:
    """16 hex digits over the settings and every input's bytes.

    A folder stands for the weights and settings of the model in it, sharded or not. Files that
    have not changed since the last call are not read again.
    """
    digest = hashlib.blake2b(f"{settings!r}".encode(), digest_size=8)
    for path in inputs:
        for file in file_hashes.hash_files(list_input_files(path)).values():
            digest.update(file.encode())
    return digest.hexdigest()


def list_input_files(path: Path) -> list[Path]:
    """The file itself; of a model's folder those that shape its answers."""
    if not path.is_dir():
        return [path]
    found = sorted(file for pattern in MODEL for file in path.glob(pattern))
    if not any(file.suffix == ".safetensors" for file in found):
        raise BadInput(f"{path}: no safetensors here")
    return found
