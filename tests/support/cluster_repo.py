"""A repository whose data side is a few given groups: from it a size is launched for real."""

import os
import shutil
from pathlib import Path
from typing import Any

import yaml

from agent_tuning.files import jsonl
from tests import conftest
from tests.support import slurm_cluster, smoke
from tests.support.slurm_cluster import SlurmCluster

TASKS = 12  # of each suite
DERIVED = ("bfcl", "nestful")
TINY_NUMBERS = {
    "render": {"max_len": 2048},
    "train": {"batch": 4, "epochs": 8, "save_steps": 2, "threads": 1, "recompute": 1},
    "prompts": {"groups": {"house": None, "bfcl": None, "nestful": None}},
    "predict": {"max_new_tokens": 4, "threads": 1},
}


def build_repository(folder: Path) -> Path:
    smoke.copy_repository(folder)
    jsonl.write(folder / "given.jsonl", conftest.some_groups() * 4)
    _give_suites(folder)
    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text())
    stages = {
        "fingerprint": pipeline["stages"]["fingerprint"],
        "mix": _copied("given.jsonl", "data/mixed.jsonl"),
        "negatives": _copied("given.jsonl", "data/negatives.jsonl"),
        "suites": _copied("given/.", "data/suites", *DERIVED),
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["models"]["tiny"] |= {"numbers": TINY_NUMBERS}
    params["score"]["bootstrap"] = 20
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder


def environment(folder: Path, slurm: SlurmCluster, runs: str) -> dict[str, str]:
    """Of a user of the lab whose run folders are in `runs`."""
    ours = {"CLUSTER": "slurm", "DS_ACCELERATOR": "cpu", "RUNS_ROOT": str(folder / runs)}
    # A build of DeepSpeed's own that was killed leaves a lock, on which later ranks wait for ever.
    ours["TORCH_EXTENSIONS_DIR"] = str(smoke.ROOT / "scratch/torch_extensions")
    at_home = smoke.environment(folder)
    path = os.pathsep.join([at_home["PATH"], slurm_cluster.search_path()])
    return {**at_home, **slurm.environment(), **ours, "PATH": path}


def _copied(source: str, target: str, *parts: str) -> dict[str, Any]:
    """A stage that copies a file, or a folder whose `parts` are its outputs."""
    outs = [f"{target}/{part}" for part in parts] or [target]
    folder = target if parts else Path(target).parent
    return {"cmd": f"mkdir -p {folder} && cp -r {source} {target}", "deps": [source], "outs": outs}


def _give_suites(folder: Path) -> None:
    """The first English tasks of the house suite, which the given groups have examples for, and
    the same under other names as the derived ones."""
    house = folder / "benchmark/suites/house"
    lines = (house / "tasks.jsonl").read_text().splitlines(keepends=True)
    tasks = [line for line in lines if '"language":"en"' in line][:TASKS]
    (house / "tasks.jsonl").write_text("".join(tasks))
    for name in DERIVED:
        given = folder / "given" / name
        given.mkdir(parents=True)
        shutil.copy(house / "tools.jsonl", given)
        (given / "tasks.jsonl").write_text("".join(tasks).replace('"house/', f'"{name}/'))
