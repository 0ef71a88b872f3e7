"""Processes that run `stages.train`, one a rank; the slow imports are done once for all of them.

Each process is forked from a server that has imported torch and DeepSpeed. Each records which packs
its dataset returned.
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from agent_tuning.files import jsonl
from agent_tuning.model import tiny_model
from agent_tuning.training import checkpoints
from tests.conftest import SIZES, some_groups
from tests.support import general_params

ROOT = Path(__file__).parents[2]
PATHS = ["packs.parquet", "base", "code.json", "slurm/zero3.json", "model", "log.csv", "m.json"]
# Given to the stage if the packs are there.
VALIDATION_PACKS = "validation.parquet"
VALIDATION = ["--validation", VALIDATION_PACKS, "--validation-log", "validation.csv"]
# A killed build of a DeepSpeed extension leaves a lock, and later ranks wait for it for ever.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "DS_ACCELERATOR": "cpu",
    "HF_HUB_OFFLINE": "1",
    "TORCH_EXTENSIONS_DIR": str(ROOT / "scratch/torch_extensions"),
}
# DeepSpeed compiles what its ranks share memory with, when several start on CPUs.
HAS_COMPILER = (
    bool(shutil.which("c++")) and Path(sysconfig.get_path("include"), "Python.h").exists()
)
NO_COMPILER = "NO COMPILER for DeepSpeed: apt-get install g++ python3-dev"
NEEDS_COMPILER = pytest.mark.skipif(not HAS_COMPILER, reason=NO_COMPILER)
TRAIN = {
    "packs_per_step": 2,
    "epochs": 4,
    "save_steps": 2,
    "threads": 1,
    "learning_rate": 1e-3,
}
PATIENCE = 300.0  # seconds
SLOW_DISK = "slow_disk"  # in the folder, this file makes the last write take seconds
LATE_S = 8.0


def make_inputs(target: Path, *, copies: int = 2, max_len: int = 2048, **train: object) -> Path:
    """Make all that the stage reads: the tiny model, and packs of about one group each."""
    target.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_model.build_tokenizer()
    tiny_model.build_model(SIZES, tokenizer).save_pretrained(target / "base")
    tokenizer.save_pretrained(target / "base")
    for package in ("stages", "agent_tuning", "slurm"):
        (target / package).symlink_to(ROOT / package)
    (target / "code.json").write_text("{}")
    jsonl.write(target / "mixed.jsonl", some_groups() * copies)
    (target / "params.yaml").write_text(yaml.safe_dump(general_params.read()))
    set_params(target, render={"max_len": max_len, "max_dropped": 1}, train=TRAIN | train)
    render(target)
    return target


def set_params(target: Path, **sections: dict[str, object]) -> None:
    params = yaml.safe_load((target / "params.yaml").read_text())
    for name, values in sections.items():
        params[name] |= values
    (target / "params.yaml").write_text(yaml.safe_dump(params))


def render(target: Path) -> None:
    from stages import render

    with contextlib.chdir(target):
        render.main(Path("mixed.jsonl"), Path("base"), Path(PATHS[0]), Path("r.json"))


def add_validation(target: Path, *, groups: int = 2, every: int = 0) -> None:
    """Add packs of so many groups to measure on."""
    from stages import render

    set_params(target, validate={"every": every})
    with contextlib.chdir(target):
        jsonl.write(Path("validation.jsonl"), some_groups()[:groups])
        render.main(
            *map(Path, ("mixed.jsonl", "base", PATHS[0], "r.json")),
            validation=Path("validation.jsonl"),
            validation_packs=Path(VALIDATION_PACKS),
        )


def copy_inputs(inputs: Path, target: Path, **train: object) -> Path:
    """Copy the inputs without outputs and checkpoints, and change some parameters of train."""
    outputs = ("model", "log.csv", "m.json", "validation.csv")
    ignored = shutil.ignore_patterns("scratch", "rank*", *outputs)
    shutil.copytree(inputs, target, symlinks=True, ignore=ignored)
    set_params(target, train=train)
    return target


class ServedRow(NamedTuple):
    """A row that the dataset returned: its index in training, and the number of the pack."""

    index: int
    pack: int


class RankProcesses:
    """All ranks of one start of the stage."""

    def __init__(self, folder: Path, world: int = 1) -> None:
        if world > 1 and not HAS_COMPILER:
            pytest.skip(NO_COMPILER)
        self.folder = folder
        self.files = [folder / f"rank{rank}" for rank in range(world)]
        for file in self.files:
            file.with_suffix(".packs").write_text("")
            file.with_suffix(".out").write_text("")
        port = str(find_free_port())
        server = start_fork_server()
        self.processes: list[BaseProcess] = [
            server.Process(target=run_rank, args=(folder, rank, world, port))
            for rank in range(world)
        ]
        for process in self.processes:
            process.start()

    def served_rows(self, rank: int = 0) -> list[ServedRow]:
        lines = self.files[rank].with_suffix(".packs").read_text().splitlines()
        return [ServedRow(*map(int, line.split())) for line in lines]

    @property
    def output(self) -> str:
        return "".join(file.with_suffix(".out").read_text() for file in self.files)

    def wait_for(self, ready: Callable[[], bool]) -> bool:
        """Wait until `ready` is true; False if all processes ended before."""
        end = time.monotonic() + PATIENCE
        while not ready():
            if not any(process.is_alive() for process in self.processes):
                return ready()
            assert time.monotonic() < end, self.output
            time.sleep(0.002)
        return True

    def end(self, patience: float = PATIENCE) -> list[int | None]:
        """Wait for all processes, kill those that take too long, and return the exit statuses."""
        until = time.monotonic() + patience
        for process in self.processes:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        return [process.exitcode for process in self.processes]


def train(folder: Path, world: int = 1) -> tuple[bool, str]:
    """Run the stage to its end: did all ranks succeed, and what they printed."""
    ranks = RankProcesses(folder, world)
    statuses = ranks.end()
    return statuses == [0] * world, ranks.output


def interrupt(
    folder: Path, signal_number: signal.Signals, world: int = 1
) -> tuple[list[int | None], str]:
    """Start, wait for the first complete checkpoint, send the signal to the last rank.

    The exit statuses of all ranks, and what they printed.
    """
    ranks = RankProcesses(folder, world)
    marker = f"scratch/train/*/checkpoint-*/{checkpoints.MARKER}"
    assert ranks.wait_for(lambda: any(folder.glob(marker))), ranks.output
    process = ranks.processes[-1].pid
    assert process is not None
    os.kill(process, signal_number)
    return ranks.end(), ranks.output


def start_fork_server() -> ForkServerContext:
    os.environ |= ENVIRONMENT
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["tests.support.training_ranks", "stages.train", "deepspeed"])
    return server


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_rank(folder: Path, rank: int, world: int, port: str) -> None:
    """One rank, as torchrun would start it."""
    os.chdir(folder)
    out = os.open(f"rank{rank}.out", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.stdout = sys.stderr = os.fdopen(1, "w")
    if world > 1:
        ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        os.environ |= {name: str(value) for name, value in ranks.items()}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    from agent_tuning.runtime import cli
    from stages import train as stage

    _record_rows(Path(f"rank{rank}.packs"))
    if Path(SLOW_DISK).exists():
        _write_the_card_late()
    sys.argv = ["train", *PATHS, *(VALIDATION if Path(VALIDATION_PACKS).exists() else [])]
    cli.run(stage.main)


def _record_rows(file: Path) -> None:
    from agent_tuning.training.dataset import PackDataset

    out = open(file, "a", buffering=1)  # noqa: SIM115 - it lives as long as the process
    get_row = PackDataset.__getitem__

    def get_and_record(dataset: PackDataset, index: int) -> Any:
        pack = dataset.order[index] if index < len(dataset.order) else -1
        out.write(f"{index} {pack}\n")
        return get_row(dataset, index)

    PackDataset.__getitem__ = get_and_record  # type: ignore[method-assign]


def _write_the_card_late() -> None:
    from agent_tuning.training import export

    build = export.build_model_card

    def build_late(*arguments: Any) -> str:
        time.sleep(LATE_S)
        return build(*arguments)

    export.build_model_card = build_late


def read_outputs(
    folder: Path, names: Sequence[str] = ("model.safetensors", "README.md")
) -> list[bytes]:
    """The bytes of the model's files and of the log."""
    return [
        *((folder / "model" / name).read_bytes() for name in names),
        (folder / "log.csv").read_bytes(),
    ]
