"""A hash of all that shapes a result: work that other inputs left is never resumed."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from agent_tuning.files import file_hashes
from agent_tuning.records import BadInput, Record

MODEL_FILES = ("*.safetensors", "*.json")


def compute_run_key(config: Record, inputs: Iterable[Path]) -> str:
    """16 hex digits: a hash of the config and of the bytes of every input.

    A folder counts as the weights and settings of the model in it, sharded or not. Files that have
    not changed since the last call are not read again.
    """
    digest = hashlib.blake2b(f"{config!r}".encode(), digest_size=8)
    for path in inputs:
        for file_hash in file_hashes.hash_files(list_input_files(path)).values():
            digest.update(file_hash.encode())
    return digest.hexdigest()


def list_input_files(path: Path) -> list[Path]:
    """The file itself; of a model's folder the files that shape its answers.

    Raises BadInput if the folder has no safetensors.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for pattern in MODEL_FILES for file in path.glob(pattern))
    if not any(file.suffix == ".safetensors" for file in files):
        raise BadInput(f"{path}: expected a model, found no *.safetensors")
    return files
