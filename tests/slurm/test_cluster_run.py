"""A size on the tests' own Slurm: dvc, launcher, batch script, two nodes of two ranks, metrics."""

import json
import shutil
import subprocess
from contextlib import chdir
from pathlib import Path

import pytest

from agent_tuning.training import checkpoints
from tests.support import cluster_repo, smoke, versioned_repo
from tests.support.slurm_cluster import SlurmCluster, wait_for

pytestmark = pytest.mark.slow
PATIENCE_S = 1200  # on a machine that others use, too
RESULT = ("models/tiny/tuned/model.safetensors", "data/tiny/train_log.csv")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """Under git, which DVC tells what is not to be committed."""
    folder = cluster_repo.build_repository(tmp_path_factory.mktemp("cluster"))
    (folder / ".dvc/config.local").unlink()  # it says that there is no git
    with chdir(folder):
        versioned_repo.start_git()
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-q", "-m", "start")
    return folder


def start(checkout: Path, slurm: SlurmCluster, runs: str, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=checkout,
        env=cluster_repo.environment(checkout, slurm, runs),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def trained(checkout, slurm) -> Path:
    """The checkout after a training that nobody interrupted."""
    uninterrupted = start(checkout, slurm, "runs/whole", "slurm/launch/train", "tiny")
    output, _ = uninterrupted.communicate(timeout=PATIENCE_S)
    assert uninterrupted.returncode == 0, output
    return checkout


def run(folder: Path, *command: str) -> str:
    """Output and errors of a command of a user without Slurm."""
    environment = smoke.environment(folder) | {"GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_a_second_clone_pulls_what_was_made_and_runs_nothing(trained, tmp_path):
    """As docs/cluster.md says, by a folder as remote; and it tries another number."""
    second, shared = tmp_path / "second", tmp_path / "shared"
    run(trained, "dvc", "remote", "add", "--default", "shared", str(shared))
    run(trained, "git", "add", "-A")
    run(trained, "git", "commit", "-q", "-m", "tiny")
    assert not [path for path in RESULT if run(trained, "git", "ls-files", path)]
    run(trained, "dvc", "push")
    run(tmp_path, "git", "clone", "-q", str(trained), str(second))
    for key, value in versioned_repo.GIT_IDENTITY.items():
        run(second, "git", "config", key, value)

    run(second, "dvc", "pull")
    assert (second / RESULT[0]).read_bytes() == (trained / RESULT[0]).read_bytes()
    assert "up to date" in run(second, "dvc", "status")
    everything = ("dvc", "repro", "dvc.yaml", "slurm/dvc.yaml")
    assert "Running stage" not in run(second, *everything)
    shutil.rmtree(second / "models/tiny/tuned")
    run(second, "dvc", "checkout")
    assert (second / RESULT[0]).exists()
    assert run(second, "git", "status", "--porcelain") == ""

    changed = ("dvc", "exp", "run", "-S", "scoring.lam=0.25", "slurm/dvc.yaml")
    output = run(second, *changed)
    ran = [line.split("'")[1] for line in output.splitlines() if "Running stage" in line]
    assert ran == ["slurm/dvc.yaml:score@tiny"]
    assert "0.25" in run(second, "dvc", "params", "diff")


def test_an_interrupted_job_ends_with_the_weights_of_an_uninterrupted_one(trained, slurm):
    checkout = trained
    for suite in ("house", "bfcl"):
        metrics = json.loads((checkout / f"metrics/tiny/suites/{suite}.json").read_text())
        assert (metrics["base.answered_rate"], metrics["tuned.answered_rate"]) == (1, 1)
        assert metrics["tuned.n"] == cluster_repo.TASKS
    expected = [(checkout / path).read_bytes() for path in RESULT]

    shutil.rmtree(checkout / "models/tiny/tuned")
    shutil.rmtree(checkout / ".dvc/cache")  # else dvc takes the result from there
    stage = "slurm/dvc.yaml:train@tiny"
    interrupted = start(checkout, slurm, "runs/again", "dvc", "repro", "-s", stage)
    marker = f"runs/again/*/scratch/train/*/checkpoint-*/{checkpoints.MARKER}"
    wait_for("a checkpoint", lambda: any(checkout.glob(marker)), 300)
    slurm.ask("scancel", "--batch", "--signal=USR1", slurm.ask("squeue", "-ho%i").strip())
    output, _ = interrupted.communicate(timeout=PATIENCE_S)
    assert interrupted.returncode == 0, output
    assert "resumes with restart 1: there is a newer checkpoint" in output
    assert "resuming from" in output
    assert [(checkout / path).read_bytes() for path in RESULT] == expected


def test_a_preflight_is_one_step_and_leaves_nothing_that_would_answer_for_the_next(checkout, slurm):
    preflight = start(checkout, slurm, "runs/preflight", "slurm/launch/train", "tiny", "preflight")
    output, _ = preflight.communicate(timeout=PATIENCE_S)
    assert preflight.returncode == 0, output
    assert "scratch/preflight/tiny/models/tiny/tuned: 1 steps" in output
    assert "preflight of tiny: passed" in output
    assert not list((checkout / "runs/preflight").iterdir())
    assert not (checkout / "scratch/preflight/tiny").exists()
