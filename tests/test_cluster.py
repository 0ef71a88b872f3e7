"""A size on the lab's Slurm: dvc, launcher, batch script, two nodes of two ranks, metrics."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import lab, smoke
from tests.lab import Lab, wait_for
from trajectory import checkpoints, jsonl

pytestmark = pytest.mark.slow
ROOT = smoke.ROOT
RESULT = ("models/tiny/tuned/model.safetensors", "data/tiny/train_log.csv")
TASKS = 12  # of each suite


@pytest.fixture(scope="module")
def checkout(groups, tmp_path_factory) -> Path:
    """The repository with a few groups in place of the data side of its pipeline."""
    folder = tmp_path_factory.mktemp("cluster")
    smoke.copy(folder)
    jsonl.write(folder / "given.jsonl", groups * 4)
    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text())
    given_suites(folder)
    stages = {
        "fingerprint": pipeline["stages"]["fingerprint"],
        "mix": copied("given.jsonl", "data/mixed.jsonl"),
        "suites": copied("given", "data/suites/bfcl"),
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    tiny = params["models"]["tiny"]
    tiny["recompute"] = True
    tiny["numbers"] = {
        "render": {"max_len": 2048},
        "train": {"batch": 4, "epochs": 8, "save_steps": 2, "threads": 1},
        "predict": {"max_new_tokens": 4, "threads": 1},
    }
    params["score"]["bootstrap"] = 20
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder


def copied(source: str, target: str) -> dict[str, Any]:
    made = {"deps": [source], "outs": [target]}
    return {"cmd": f"mkdir -p {Path(target).parent} && cp -r {source} {target}", **made}


def given_suites(folder: Path) -> None:
    """The first tasks of the house suite, and the same under other names as the second suite."""
    house = folder / "benchmark/suites/house"
    tasks = (house / "tasks.jsonl").read_text().splitlines(keepends=True)[:TASKS]
    (house / "tasks.jsonl").write_text("".join(tasks))
    (folder / "given").mkdir()
    shutil.copy(house / "tools.jsonl", folder / "given")
    (folder / "given/tasks.jsonl").write_text("".join(tasks).replace('"house/', '"bfcl/'))


def start(checkout: Path, slurm: Lab, runs: str, *command: str) -> subprocess.Popen[str]:
    ours = {"CLUSTER": "slurm", "DS_ACCELERATOR": "cpu", "RUNS_ROOT": str(checkout / runs)}
    # A build of DeepSpeed's own that was killed leaves a lock, on which later ranks wait for ever.
    ours["TORCH_EXTENSIONS_DIR"] = str(ROOT / "scratch/torch_extensions")
    at_home = smoke.environment(checkout)
    path = os.pathsep.join([at_home["PATH"], lab.search_path()])
    return subprocess.Popen(
        command,
        cwd=checkout,
        env={**at_home, **slurm.environment(), **ours, "PATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_an_interrupted_job_ends_with_the_weights_of_an_uninterrupted_one(checkout, slurm):
    whole = start(checkout, slurm, "whole", "slurm/train", "tiny")
    output, _ = whole.communicate(timeout=400)
    assert whole.returncode == 0, output
    for suite in ("house", "bfcl"):
        metrics = json.loads((checkout / f"metrics/tiny/{suite}.json").read_text())
        assert (metrics["base.coverage"], metrics["tuned.coverage"]) == (1, 1)
        assert metrics["tuned.n"] == TASKS
    expected = [(checkout / path).read_bytes() for path in RESULT]

    shutil.rmtree(checkout / "models/tiny/tuned")
    shutil.rmtree(checkout / ".dvc/cache")  # else dvc takes the result from there
    again = start(checkout, slurm, "again", "dvc", "repro", "-s", "slurm/dvc.yaml:train@tiny")
    marker = f"again/*/scratch/train/*/checkpoint-*/{checkpoints.MARKER}"
    wait_for("a checkpoint", lambda: any(checkout.glob(marker)), 300)
    slurm.ask("scancel", "--batch", "--signal=USR1", slurm.ask("squeue", "-ho%i").strip())
    output, _ = again.communicate(timeout=400)
    assert again.returncode == 0, output
    assert "goes on after restart 1: there is a newer checkpoint" in output
    assert "resuming from" in output
    assert [(checkout / path).read_bytes() for path in RESULT] == expected


def test_a_preflight_is_one_step_and_leaves_nothing_that_would_answer_for_the_next(checkout, slurm):
    looked = start(checkout, slurm, "preflight", "slurm/train", "tiny", "preflight")
    output, _ = looked.communicate(timeout=400)
    assert looked.returncode == 0, output
    assert "scratch/preflight/models/tiny/tuned: 1 steps" in output
    assert "preflight of tiny: passed" in output
    assert not list((checkout / "preflight").iterdir())
    assert not (checkout / "scratch/preflight").exists()
