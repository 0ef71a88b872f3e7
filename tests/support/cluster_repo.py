"""A repository with a few given groups in place of its data stages, to launch a size for real."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from agent_tuning.files import jsonl
from benchmark.tasks import suites
from tests import conftest
from tests.support import general_params, slurm_cluster, smoke
from tests.support.slurm_cluster import SlurmCluster

TASKS = 12  # of each suite
DERIVED = ("bfcl", "nestful")
TINY_NUMBERS = {
    "render": {"max_len": 2048, "max_dropped": 1},
    "train": {
        "packs_per_step": 4,
        "epochs": 8,
        "save_steps": 2,
        "threads": 1,
        "activation_checkpointing_every": 1,
    },
    "build_requests": {"groups": {"house": None, "bfcl": None, "nestful": None}},
    "predict": {"max_new_tokens": 4, "threads": 1},
}


def build_repository(folder: Path) -> Path:
    smoke.copy_repository(folder)
    jsonl.write(folder / "given.jsonl", conftest.some_groups() * 4)
    _write_suites(folder)
    pipeline = yaml.safe_load((folder / "dvc.yaml").read_text())
    stages = {
        "code_hashes": pipeline["stages"]["code_hashes"],
        "mix": _copy_stage("given.jsonl", "data/general/mixed.jsonl"),
        "add_hard_negatives": _copy_stage("given.jsonl", "data/general/with_negatives.jsonl"),
        "suites": _copy_stage("given/.", "data/suites", *DERIVED),
    }
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    params = general_params.read()
    params["models"]["tiny"] |= {"overrides": TINY_NUMBERS}
    params["scoring"]["bootstrap"] = 20
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    return folder


def environment(folder: Path, slurm: SlurmCluster, runs: str) -> dict[str, str]:
    """The environment of a user of the cluster whose run folders are in `runs`."""
    cluster = {"CLUSTER": "slurm", "DS_ACCELERATOR": "cpu", "RUNS_ROOT": str(folder / runs)}
    # A build of DeepSpeed's own that was killed leaves a lock, on which later ranks wait for ever.
    cluster["TORCH_EXTENSIONS_DIR"] = str(smoke.ROOT / "scratch/torch_extensions")
    local = smoke.environment(folder)
    path = os.pathsep.join([local["PATH"], slurm_cluster.search_path()])
    return {**local, **slurm.environment(), **cluster, "PATH": path}


def _copy_stage(source: str, target: str, *parts: str) -> dict[str, Any]:
    """A stage that copies a file, or a folder whose `parts` are its outputs."""
    outs = [f"{target}/{part}" for part in parts] or [target]
    folder = target if parts else Path(target).parent
    return {"cmd": f"mkdir -p {folder} && cp -r {source} {target}", "deps": [source], "outs": outs}


def _write_suites(folder: Path) -> None:
    """Cut the house suite to its first English tasks, and write them as the derived suites too.

    The given groups have examples for these tasks.
    """
    house = folder / "benchmark/suites/house"
    whole = suites.read(house)
    tasks = tuple(task for task in whole.tasks if whole.prompt(task).language == "en")[:TASKS]
    prompts = {task.prompt: whole.prompts[task.prompt] for task in tasks}
    suites.write(house, replace(whole, prompts=prompts, tasks=tasks))
    for name in DERIVED:
        given = folder / "given" / name
        given.mkdir(parents=True)
        for path in house.glob("*.jsonl"):
            (given / path.name).write_text(path.read_text().replace('"house/', f'"{name}/'))
