"""The whole pipeline of every recipe on the tiny model and a few records: `make smoke`.

It runs in a temporary copy, one recipe after the other.

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
RECIPES = ("general", "specialist")  # in this order; the last one stays the chosen one
EXAMPLES = 3  # written ones that are kept of each voice
SMALL_SPECIALIST: dict[str, Any] = {
    "written": {"validation": 0.2, "max_rejected": 0.5},
    "plan": {"groups": {"en": 8}, "minimum": {"en": 0}},
    "verify": {"max_rejected": 0.8},
    "mix": {"agent_per_general": 1000},
    "render": {"max_len": 8192, "max_dropped": 0.5},  # the tiny model's tokens are bytes
    "train": {"epochs": 1},
    "validate": {"every": 3},
    "build_requests": {"groups": {"shop": 2, "shop_drafted": 2, "house": 2, "bfcl": 1}},
    "predict": {"max_new_tokens": 8},
    "episodes": {"tasks": 1},
}
SMALL_PARAMS: dict[str, Any] = {
    "fetch": {"model": "tiny"},
    "suites": {"calls": ["multiple"], "no_calls": ["irrelevance"]},
    "plan": {"groups": {"en": 6, "zh": 2}, "minimum": {"en": 0, "zh": 0}},
    "verify": {"max_rejected": 0.5},  # of a few records, one reject is a large share
    "add_hard_negatives": {"max_auc": 1.0},
    "self_replies": {"max_new_tokens": 8, "threads": 1},
    "mix": {"agent_per_general": 1000},  # the tiny model finishes no reply
    "render": {"max_len": 8192, "max_dropped": 0.5},
    "build_requests": {"groups": {"house": 9, "bfcl": 3, "nestful": 1}},
    "train": {"save_steps": 4, "threads": 1},
    "predict": {"max_new_tokens": 8, "threads": 1},
    "episodes": {"tasks": 1, "max_new_tokens": 8, "threads": 1},
    "score_episodes": {"bootstrap": 50},
    "retention": {"threads": 1},
    "score_retention": {"bootstrap": 50},
    "scoring": {"bootstrap": 50},
    "recipes": {"specialist": SMALL_SPECIALIST},
}


def copy_repository(folder: Path) -> None:
    """Copy the files that git tracks or would add, without any data."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    for name in names.decode().split("\0"):
        if name and (ROOT / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    prepare(folder)


def prepare(folder: Path) -> None:
    """What DVC needs in a copy that is no git repository."""
    wheels = ROOT / "scratch/wheels"
    if wheels.exists():  # the external suite's wheel need not be fetched again
        shutil.copytree(wheels, folder / "scratch/wheels", ignore=shutil.ignore_patterns("*.gguf"))
    (folder / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")


def shrink(folder: Path) -> None:
    """Keep few written examples, and make the numbers of params.yaml small."""
    for voice in folder.glob("data/written/*/*.jsonl"):
        voice.write_text("".join(voice.read_text().splitlines(keepends=True)[:EXAMPLES]))
    params = folder / "params.yaml"
    sections = yaml.safe_load(params.read_text())
    params.write_text(
        yaml.safe_dump(merge(sections, SMALL_PARAMS), allow_unicode=True, sort_keys=False)
    )


def merge(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """`whole` with the values of `part`, at any depth."""
    return whole | {
        key: merge(whole.get(key, {}), value) if isinstance(value, dict) else value
        for key, value in part.items()
    }


def environment(folder: Path) -> dict[str, str]:
    """The command line of a user who has activated .venv."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    site = str(folder / ".dvc/tmp/site")
    return {**os.environ, "PATH": path, "DVC_SITE_CACHE_DIR": site, "OMP_NUM_THREADS": "1"}


def run(folder: Path) -> None:
    copy_repository(folder)
    shrink(folder)
    for recipe in RECIPES:
        reproduce(folder, recipe)
        board = f"data/{recipe}/breakdown.csv"
        show = [sys.executable, "-m", "benchmark.reports.leaderboard", board]
        for command in (show, ["make", "--old-file=.venv/ready", "report"]):
            subprocess.run(command, cwd=folder, check=True, env=environment(folder))


def reproduce(folder: Path, recipe: str) -> None:
    for command in (["make", "recipe", f"NAME={recipe}"], ["dvc", "repro"]):
        subprocess.run(command, cwd=folder, check=True, env=environment(folder))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            run(Path(temporary))
