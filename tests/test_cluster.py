"""Training on the lab's Slurm: make, dvc, launcher, batch script, two nodes with two ranks each."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests import lab, smoke
from tests.lab import Lab, wait_for
from trajectory import checkpoints, jsonl

pytestmark = pytest.mark.slow
ROOT = smoke.ROOT
RESULT = ("models/tiny/tuned/model.safetensors", "data/tiny/train_log.csv")


@pytest.fixture(scope="module")
def slurm() -> Iterator[Lab]:
    if problem := lab.missing():
        pytest.skip(f"NO SLURM LAB: {problem}")
    with lab.running() as started:
        yield started


@pytest.fixture(scope="module")
def checkout(groups, tmp_path_factory) -> Path:
    """The repository with a few groups in place of the data side of its pipeline."""
    folder = tmp_path_factory.mktemp("cluster")
    smoke.copy(folder)
    jsonl.write(folder / "given.jsonl", groups * 4)
    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text())
    given = {"deps": ["given.jsonl"], "outs": ["data/mixed.jsonl"]}
    mix = {"cmd": "cp given.jsonl data/mixed.jsonl", **given}
    stages = {"fingerprint": pipeline["stages"]["fingerprint"], "mix": mix}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    tiny = params["models"]["tiny"]
    tiny["numbers"] = {
        "render": {"max_len": 2048},
        "train": {"batch": 4, "epochs": 8, "save_steps": 2, "threads": 1, "recompute": 1},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder


def start(checkout: Path, slurm: Lab, runs: str) -> subprocess.Popen[str]:
    ours = {"CLUSTER": "slurm", "DS_ACCELERATOR": "cpu", "RUNS_ROOT": str(checkout / runs)}
    # A build of DeepSpeed's own that was killed leaves a lock, on which later ranks wait for ever.
    ours["TORCH_EXTENSIONS_DIR"] = str(ROOT / "scratch/torch_extensions")
    at_home = smoke.environment(checkout)
    path = os.pathsep.join([at_home["PATH"], lab.search_path()])
    return subprocess.Popen(
        ["slurm/train", "tiny"],
        cwd=checkout,
        env={**at_home, **slurm.environment(), **ours, "PATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_an_interrupted_job_ends_with_the_weights_of_an_uninterrupted_one(checkout, slurm):
    whole = start(checkout, slurm, "whole")
    output, _ = whole.communicate(timeout=400)
    assert whole.returncode == 0, output
    expected = [(checkout / path).read_bytes() for path in RESULT]

    shutil.rmtree(checkout / "models/tiny/tuned")
    shutil.rmtree(checkout / ".dvc/cache")  # else dvc takes the result from there
    again = start(checkout, slurm, "again")
    marker = f"again/*/scratch/train/*/checkpoint-*/{checkpoints.MARKER}"
    wait_for("a checkpoint", lambda: any(checkout.glob(marker)), 300)
    slurm.ask("scancel", "--batch", "--signal=USR1", slurm.ask("squeue", "-ho%i").strip())
    output, _ = again.communicate(timeout=400)
    assert again.returncode == 0, output
    assert "goes on after restart 1: there is a newer checkpoint" in output
    assert "resuming from" in output
    assert [(checkout / path).read_bytes() for path in RESULT] == expected
