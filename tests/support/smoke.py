"""The whole pipeline on the tiny model and a few records, in a temporary copy: `make smoke`.

`python -m tests.support.smoke [FOLDER]` keeps the copy in FOLDER.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
SMALL_PARAMS: dict[str, Any] = {
    "fetch": {"model": "tiny"},
    "suites": {"calls": ["multiple"], "no_calls": ["irrelevance"]},
    "plan": {"groups": {"en": 6, "zh": 2}, "minimum": {"en": 0, "zh": 0}},
    "verify": {"max_rejected": 0.5},  # of a few records, one reject is a large share
    "add_hard_negatives": {"max_auc": 1.0},
    "self_replies": {"max_new_tokens": 8, "threads": 1},
    "mix": {"agent_per_general": 1000},  # the tiny model finishes no reply
    "render": {"max_len": 8192},
    "build_requests": {"groups": {"house": 9, "bfcl": 3, "nestful": 1}},
    "train": {"save_steps": 4, "threads": 1},
    "predict": {"max_new_tokens": 8, "threads": 1},
    "episodes": {"tasks": 1, "max_new_tokens": 8, "threads": 1},
    "score_episodes": {"bootstrap": 50},
    "retention": {"threads": 1},
    "score_retention": {"bootstrap": 50},
    "scoring": {"bootstrap": 50},
}


def copy_repository(folder: Path) -> None:
    """Copy the files that git tracks or would add, without any data."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    for name in names.decode().split("\0"):
        if name and (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    wheels = ROOT / "scratch/wheels"
    if wheels.exists():  # the external suite's wheel need not be fetched again
        shutil.copytree(wheels, folder / "scratch/wheels", ignore=shutil.ignore_patterns("*.gguf"))
    (folder / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")


def shrink(params: Path) -> None:
    sections = yaml.safe_load(params.read_text())
    params.write_text(
        yaml.safe_dump(merge(sections, SMALL_PARAMS), allow_unicode=True, sort_keys=False)
    )


def merge(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """`whole` with the values of `part`, at any depth."""
    return whole | {
        key: merge(whole[key], value) if isinstance(value, dict) else value
        for key, value in part.items()
    }


def environment(folder: Path) -> dict[str, str]:
    """The command line of a user who has activated .venv."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    site = str(folder / ".dvc/tmp/site")
    return {**os.environ, "PATH": path, "DVC_SITE_CACHE_DIR": site, "OMP_NUM_THREADS": "1"}


def run(folder: Path) -> None:
    copy_repository(folder)
    shrink(folder / "params.yaml")
    for command in (
        ["dvc", "repro"],
        [sys.executable, "-m", "benchmark.reports.leaderboard", "data/breakdown.csv"],
    ):
        subprocess.run(command, cwd=folder, check=True, env=environment(folder))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            run(Path(temporary))
