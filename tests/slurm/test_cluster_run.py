"""A size on the tests' own Slurm: dvc, launcher, batch script, two nodes of two ranks, metrics."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from agent_tuning.training import checkpoints
from tests.support import cluster_repo
from tests.support.slurm_cluster import SlurmCluster, wait_for

pytestmark = pytest.mark.slow
RESULT = ("models/tiny/tuned/model.safetensors", "data/tiny/train_log.csv")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    return cluster_repo.build_repository(tmp_path_factory.mktemp("cluster"))


def start(checkout: Path, slurm: SlurmCluster, runs: str, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=checkout,
        env=cluster_repo.environment(checkout, slurm, runs),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_an_interrupted_job_ends_with_the_weights_of_an_uninterrupted_one(checkout, slurm):
    uninterrupted = start(checkout, slurm, "whole", "slurm/launch/train", "tiny")
    output, _ = uninterrupted.communicate(timeout=400)
    assert uninterrupted.returncode == 0, output
    for suite in ("house", "bfcl"):
        metrics = json.loads((checkout / f"metrics/tiny/{suite}.json").read_text())
        assert (metrics["base.answered_rate"], metrics["tuned.answered_rate"]) == (1, 1)
        assert metrics["tuned.n"] == cluster_repo.TASKS
    expected = [(checkout / path).read_bytes() for path in RESULT]

    shutil.rmtree(checkout / "models/tiny/tuned")
    shutil.rmtree(checkout / ".dvc/cache")  # else dvc takes the result from there
    interrupted = start(checkout, slurm, "again", "dvc", "repro", "-s", "slurm/dvc.yaml:train@tiny")
    marker = f"again/*/scratch/train/*/checkpoint-*/{checkpoints.MARKER}"
    wait_for("a checkpoint", lambda: any(checkout.glob(marker)), 300)
    slurm.ask("scancel", "--batch", "--signal=USR1", slurm.ask("squeue", "-ho%i").strip())
    output, _ = interrupted.communicate(timeout=400)
    assert interrupted.returncode == 0, output
    assert "resumes with restart 1: there is a newer checkpoint" in output
    assert "resuming from" in output
    assert [(checkout / path).read_bytes() for path in RESULT] == expected


def test_a_preflight_is_one_step_and_leaves_nothing_that_would_answer_for_the_next(checkout, slurm):
    preflight = start(checkout, slurm, "preflight", "slurm/launch/train", "tiny", "preflight")
    output, _ = preflight.communicate(timeout=400)
    assert preflight.returncode == 0, output
    assert "scratch/preflight/models/tiny/tuned: 1 steps" in output
    assert "preflight of tiny: passed" in output
    assert not list((checkout / "preflight").iterdir())
    assert not (checkout / "scratch/preflight").exists()
