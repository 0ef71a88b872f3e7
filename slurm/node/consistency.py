"""Does this node see the code and the packages of the run? Runs in the run's folder.

A node with a stale mount or another environment would train something else, or wait for ranks that
cannot answer. One line says what differs.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from agent_tuning.files import atomic_write, json_file
from agent_tuning.records import BadInput, Record
from agent_tuning.runtime import cli
from agent_tuning.runtime.code_hash import read_pins

CODE_PACKAGES = ("stages", "agent_tuning", "benchmark", "slurm")
LAUNCH_PACKAGES = ("slurm",)  # a new submission of a run brings its own
LOCK_FILE = Path("requirements.lock")
IGNORED_SUFFIXES = {".pyc", ".env"}  # Python writes the first, users the second
INPUTS = "inputs.json"  # of the run folder


class RunInputs(Record, frozen=True):
    """What a run was made from, as its folder's inputs.json says.

    `changed` are the files that differ from the commit. Digests are BLAKE2b. The run's name hashes
    `facts`: the stage's parameters, the digests of the inputs and the rest.
    """

    run: str
    commit: str
    changed: tuple[str, ...]
    lock: str
    code: str
    launch: str
    facts: dict[str, Any]

    @property
    def engine(self) -> str | None:
        """What answers, if this run does."""
        engine: str | None = self.facts.get("section", {}).get("engine")
        return engine


def read_run_inputs(folder: Path) -> RunInputs:
    return json_file.read(folder / INPUTS, RunInputs)


def write_run_inputs(folder: Path, inputs: RunInputs) -> None:
    text = msgspec.json.format(msgspec.json.encode(inputs))
    atomic_write.write_bytes(folder / INPUTS, text + b"\n")


def digest_files(files: Iterable[Path]) -> str:
    """One digest of the contents, in the order given."""
    state = hashlib.blake2b(digest_size=16)
    for file in files:
        state.update(hashlib.blake2b(file.read_bytes()).digest())
    return state.hexdigest()


def list_code_files(folder: Path, packages: Sequence[str] = CODE_PACKAGES) -> list[Path]:
    paths = (path for package in packages for path in (folder / package).rglob("*"))
    return sorted(path for path in paths if path.is_file() and path.suffix not in IGNORED_SUFFIXES)


def digest_code(folder: Path) -> str:
    """Of all that computes a result."""
    return digest_files(
        list_code_files(folder, [p for p in CODE_PACKAGES if p not in LAUNCH_PACKAGES])
    )


def digest_launch(folder: Path) -> str:
    """Of all that starts it."""
    return digest_files(list_code_files(folder, LAUNCH_PACKAGES))


def version_mismatches(lock: Path) -> Iterator[str]:
    """Installed packages whose version differs from the lock; a build's +cu128 does not count."""
    for name, version in read_pins(lock).items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # training imports what it needs, and that import fails by itself
        if installed.split("+")[0] != version.split("+")[0]:
            yield f"{name} {installed} is installed, {lock} pins {version}"


def problems(folder: Path) -> Iterator[str]:
    inputs = read_run_inputs(folder)
    if (digest_code(folder), digest_launch(folder)) != (inputs.code, inputs.launch):
        yield f"the code differs from commit {inputs.commit[:12]}, recorded in {folder / INPUTS}"
    if digest_files([folder / LOCK_FILE]) != inputs.lock:
        yield f"{LOCK_FILE} differs from the one recorded in {folder / INPUTS}"
    if inputs.engine != "vllm":  # it needs other versions than the lock has
        yield from version_mismatches(folder / LOCK_FILE)
    yield from gpu_problems()


def gpu_problems() -> Iterator[str]:
    """GPUs that nvidia-smi sees and torch does not, as with a driver older than torch's CUDA."""
    wanted = int(os.environ.get("SLURM_GPUS_ON_NODE") or 0)
    if not wanted or os.environ.get("DS_ACCELERATOR") == "cpu":
        return
    import torch

    usable = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if usable < wanted:
        yield (
            f"torch {torch.__version__} (CUDA {torch.version.cuda}) can use {usable} of {wanted}"
            " GPUs; is the driver as new as this CUDA?"
        )


def main() -> None:
    if lines := list(problems(Path())):
        raise BadInput("; ".join(lines))


if __name__ == "__main__":
    cli.run(main)
