"""Processes that run `stages.train`, with what the dear imports make of them done once.

Each is forked from a server that has imported torch and DeepSpeed, so that a start costs what
training costs. Each writes down which packs it was handed.
"""

import contextlib
import multiprocessing
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from agent_tuning.files import jsonl
from agent_tuning.model import tiny_model
from tests.conftest import SIZES, some_groups

ROOT = Path(__file__).parents[2]
PATHS = ["packs.parquet", "base", "code.json", "slurm/zero3.json", "model", "log.csv", "m.json"]
# A build of DeepSpeed's own that was killed leaves a lock, on which later ranks wait for ever.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "DS_ACCELERATOR": "cpu",
    "HF_HUB_OFFLINE": "1",
    "TORCH_EXTENSIONS_DIR": str(ROOT / "scratch/torch_extensions"),
}
TRAIN = {
    "packs_per_step": 2,
    "epochs": 4,
    "save_steps": 2,
    "threads": 1,
    "learning_rate": 1e-3,
}
PATIENCE = 300.0  # seconds


def folder(target: Path, *, copies: int = 2, max_len: int = 2048, **train: object) -> Path:
    """All that the stage reads: the tiny model, and packs of about one group each."""
    target.mkdir(parents=True, exist_ok=True)
    words = tiny_model.build_tokenizer()
    tiny_model.build_model(SIZES, words).save_pretrained(target / "base")
    words.save_pretrained(target / "base")
    for package in ("stages", "agent_tuning", "slurm"):
        (target / package).symlink_to(ROOT / package)
    (target / "code.json").write_text("{}")
    jsonl.write(target / "mixed.jsonl", some_groups() * copies)
    set_numbers(target, ROOT / "params.yaml", render={"max_len": max_len}, train=TRAIN | train)
    render(target)
    return target


def set_numbers(target: Path, before: Path | None = None, **sections: dict[str, object]) -> None:
    params = yaml.safe_load((before or target / "params.yaml").read_text())
    for name, numbers in sections.items():
        params[name] |= numbers
    (target / "params.yaml").write_text(yaml.safe_dump(params))


def render(target: Path) -> None:
    from stages import render

    with contextlib.chdir(target):
        render.main(Path("mixed.jsonl"), Path("base"), Path(PATHS[0]), Path("r.json"))


def copy(made: Path, target: Path, **train: object) -> Path:
    """The same inputs, nothing of the outputs and checkpoints, and other numbers."""
    left = shutil.ignore_patterns("scratch", "model", "log.csv", "m.json", "rank*")
    shutil.copytree(made, target, symlinks=True, ignore=left)
    set_numbers(target, train=train)
    return target


class Handed(NamedTuple):
    """A row that the dataset handed out: its place in training, and the pack."""

    place: int
    pack: int


class Ranks:
    """All processes of one start of the stage."""

    def __init__(self, folder: Path, world: int = 1) -> None:
        self.folder = folder
        self.files = [folder / f"rank{rank}" for rank in range(world)]
        for file in self.files:
            file.with_suffix(".packs").write_text("")
            file.with_suffix(".out").write_text("")
        port = str(free_port())
        server = context()
        self.processes: list[BaseProcess] = [
            server.Process(target=run, args=(folder, rank, world, port)) for rank in range(world)
        ]
        for process in self.processes:
            process.start()

    def handed(self, rank: int = 0) -> list[Handed]:
        lines = self.files[rank].with_suffix(".packs").read_text().splitlines()
        return [Handed(*map(int, line.split())) for line in lines]

    @property
    def output(self) -> str:
        return "".join(file.with_suffix(".out").read_text() for file in self.files)

    def wait_for(self, ready: Callable[[], bool]) -> bool:
        """True once it is so, False if all have ended before."""
        end = time.monotonic() + PATIENCE
        while not ready():
            if not any(process.is_alive() for process in self.processes):
                return ready()
            assert time.monotonic() < end, self.output
            time.sleep(0.002)
        return True

    def end(self, patience: float = PATIENCE) -> list[int | None]:
        """Wait for all; who is late is killed. The exit statuses."""
        until = time.monotonic() + patience
        for process in self.processes:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        return [process.exitcode for process in self.processes]


def train(folder: Path, world: int = 1) -> tuple[bool, str]:
    """Run the stage to its end: was it well, and what it printed."""
    ranks = Ranks(folder, world)
    statuses = ranks.end()
    return statuses == [0] * world, ranks.output


def context() -> ForkServerContext:
    os.environ |= ENVIRONMENT
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["tests.support.training_ranks", "stages.train", "deepspeed"])
    return server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(folder: Path, rank: int, world: int, port: str) -> None:
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

    _write_down(Path(f"rank{rank}.packs"))
    sys.argv = ["train", *PATHS]
    cli.run(stage.main)


def _write_down(file: Path) -> None:
    from agent_tuning.training.dataset import PackDataset

    out = open(file, "a", buffering=1)  # noqa: SIM115 - it lives as long as the process
    hand = PackDataset.__getitem__

    def writing(rows: PackDataset, place: int) -> Any:
        pack = rows.order[place] if place < len(rows.order) else -1
        out.write(f"{place} {pack}\n")
        return hand(rows, place)

    PackDataset.__getitem__ = writing  # type: ignore[method-assign]


def result(folder: Path, names: Sequence[str] = ("model.safetensors", "README.md")) -> list[bytes]:
    """The bytes of what a run is for."""
    return [
        *((folder / "model" / name).read_bytes() for name in names),
        (folder / "log.csv").read_bytes(),
    ]
