"""The training stage as a user runs it: a process of its own, on the tiny model."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from trajectory import checkpoints, jsonl, tables
from trajectory.trainlog import TrainStep

ROOT = Path(__file__).parent.parent
ONE = [sys.executable, "-m", "stages.train"]
TWO = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "stages.train"]
# The rendezvous is torchrun's own; a free port lets test runs stand side by side.
TWO[3:3] = ["--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
PATHS = [
    "packs.parquet",
    "base",
    "fingerprint.json",
    "slurm/zero3.json",
    "model",
    "log.csv",
    "m.json",
]


@pytest.fixture(scope="module")
def made(base, groups, tmp_path_factory) -> Path:
    """A folder with all that the stage reads: packs of about one group each."""
    folder = tmp_path_factory.mktemp("train")
    shutil.copytree(base, folder / "base")
    for package in ("stages", "trajectory", "slurm"):
        (folder / package).symlink_to(ROOT / package)
    jsonl.write(folder / "mixed.jsonl", groups * 2)
    (folder / "fingerprint.json").write_text("{}")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["render"] |= {"max_len": 2048}
    params["train"] |= {"batch": 2, "epochs": 4, "save_steps": 2, "threads": 1}
    params["train"] |= {"learning_rate": 1e-3}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    render = [sys.executable, "-m", "stages.render", "mixed.jsonl", "base", PATHS[0], "r.json"]
    subprocess.run(render, cwd=folder, check=True, env=environment())
    return folder


def environment() -> dict[str, str]:
    # A build of DeepSpeed's own that was killed leaves a lock, on which later ranks wait for ever.
    extensions = str(ROOT / "scratch/torch_extensions")
    ours = {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu", "HF_HUB_OFFLINE": "1"}
    return {**os.environ, **ours, "TORCH_EXTENSIONS_DIR": extensions}


def start(folder: Path, command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*command, *PATHS],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def train(folder: Path, command: Sequence[str] = ONE) -> tuple[int, str]:
    process = start(folder, command)
    output, _ = process.communicate(timeout=240)
    return process.returncode, output


def copy(made: Path, target: Path, **changes: object) -> Path:
    shutil.copytree(made, target, symlinks=True, ignore=shutil.ignore_patterns("scratch", "model"))
    params = yaml.safe_load((target / "params.yaml").read_text())
    params["train"] |= changes
    (target / "params.yaml").write_text(yaml.safe_dump(params))
    return target


def result(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "model/model.safetensors").read_bytes(), (folder / "log.csv").read_bytes()


def log(folder: Path) -> list[TrainStep]:
    return list(tables.read(folder / "log.csv", TrainStep))


def interrupted(folder: Path, how: signal.Signals) -> int:
    """Start, wait for the first whole checkpoint, send the signal; the exit status."""
    process = start(folder, ONE)
    deadline = time.monotonic() + 120
    while not list(folder.glob(f"scratch/train/*/checkpoint-*/{checkpoints.MARKER}")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(how)
    process.communicate(timeout=60)
    return process.returncode


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory) -> Path:
    """An uninterrupted run."""
    folder = copy(made, tmp_path_factory.mktemp("whole") / "run")
    status, output = train(folder)
    assert status == 0, output
    return folder


def test_the_loss_falls(whole):
    losses = [step.loss for step in log(whole)]  # steps see different packs, halves the same
    half = len(losses) // 2
    assert sum(losses[half:]) < sum(losses[:half])


def test_what_is_saved_is_safetensors_and_the_tokenizer(whole):
    names = {path.name for path in (whole / "model").iterdir()}
    assert {"model.safetensors", "tokenizer.json", "config.json"} <= names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".pth"))]


@pytest.mark.parametrize(
    ("how", "status"),
    [(signal.SIGKILL, -9), (signal.SIGTERM, 75), (signal.SIGUSR1, 75)],
    ids=lambda value: getattr(value, "name", value),
)
def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(
    made, whole, tmp_path, how, status
):
    folder = copy(made, tmp_path / "run")
    assert interrupted(folder, how) == status
    assert not (folder / "model").exists()
    done, output = train(folder)
    assert done == 0, output
    assert "resuming from" in output
    assert result(folder) == result(whole)


def test_changed_data_never_resumes_an_old_checkpoint(whole, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder, symlinks=True)
    (folder / "fingerprint.json").write_text('{"another": "code"}')
    status, output = train(folder)
    assert status == 0, output
    assert "resuming from" not in output


def test_two_zero3_ranks_take_the_same_first_step_as_one_process(made, whole, tmp_path):
    folder = copy(made, tmp_path / "run")
    status, output = train(folder, TWO)
    assert status == 0, output
    one, two = log(whole), log(folder)
    assert len(one) == len(two)
    assert two[0].loss == pytest.approx(one[0].loss, rel=1e-3)
    assert two[0].grad_norm == pytest.approx(one[0].grad_norm, rel=1e-3)
    assert two[-1].loss == pytest.approx(one[-1].loss, rel=2e-2)


def test_accumulation_changes_neither_loss_nor_gradient(made, tmp_path):
    """The same trajectories in one step: as one pack, and as several micro-batches."""
    logs = []
    for max_len in (2048, 100_000):
        folder = copy(made, tmp_path / str(max_len), epochs=1)
        params = yaml.safe_load((folder / "params.yaml").read_text())
        params["render"] |= {"max_len": max_len}
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        render = [sys.executable, "-m", "stages.render", "mixed.jsonl", "base", PATHS[0], "r.json"]
        subprocess.run(render, cwd=folder, check=True, env=environment())
        params["train"]["batch"] = json.loads((folder / "r.json").read_text())["packs"]
        (folder / "params.yaml").write_text(yaml.safe_dump(params))
        status, output = train(folder)
        assert status == 0, output
        logs.append((params["train"]["batch"], log(folder)))
    (several, (one,)), (single, (other,)) = logs
    assert several >= 3
    assert single == 1
    assert one.loss == pytest.approx(other.loss, rel=1e-5)
    assert one.grad_norm == pytest.approx(other.grad_norm, rel=1e-4)


def test_a_batch_that_does_not_divide_by_the_ranks_is_one_clear_line(made, tmp_path):
    folder = copy(made, tmp_path / "run", batch=3)
    status, output = train(folder, TWO)
    assert status != 0
    assert "error: params.yaml: train.batch = 3 packs do not divide by 2 ranks" in output


def test_a_truncated_checkpoint_is_passed_over(made, whole, tmp_path):
    folder = copy(made, tmp_path / "run")
    interrupted(folder, signal.SIGKILL)
    (newest,) = [
        path.parent for path in folder.glob(f"scratch/train/*/checkpoint-2/{checkpoints.MARKER}")
    ]
    shard = newest / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    status, output = train(folder)
    assert status == 0, output
    assert "passed over" in output
    assert result(folder) == result(whole)
