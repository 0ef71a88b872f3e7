"""A large plan through all data stages: CPU seconds, peak memory and bytes of each.

`python -m tests.perf.bench_scale TRAJECTORIES FOLDER` plans a group for every five trajectories
(four positives and a hard negative) and runs the stages from `plan` to `render` in FOLDER, one
process after the other. They are those of dvc.yaml for the recipe `general_large`, with the
numbers of LIFTED in place of its own, since the recipe refuses so large a plan. `data/base`,
`data/general.jsonl` and `data/protected.jsonl` have to be there (`dvc repro self_replies suites`).

A stage that is finished is not run again: FOLDER/measured.jsonl keeps what it took, so the same
command continues a killed run. The table counts every stage. It fails if one needs more than
MEMORY.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from agent_tuning.files import json_file, jsonl
from agent_tuning.files.markdown_table import format_row
from agent_tuning.records import Record
from agent_tuning.runtime import config
from agent_tuning.synthesis.planner import PlanConfig
from slurm.sizing import count_scripted
from tests.support.stage_runner import list_commands

ROOT = Path(__file__).parents[2]
RECIPE = "general_large"
STAGES = (
    "plan",
    "synthesize",
    "verify",
    "import_data",
    "add_hard_negatives",
    "written",
    "diversify",
    "mix",
    "render",
)
IN_TABLE = ("plan", "synthesize", "verify", "add_hard_negatives", "diversify", "mix", "render")
MEMORY = 2e9  # bytes at the peak
ENGLISH = 10 / 13  # of the groups, as in the recipe
# What refuses a plan of this size, or keeps it small. Without imports there are few everyday
# questions, and little general conversation to mix in.
LIFTED: dict[str, dict[str, Any]] = {
    "plan": {"per_cell": None, "minimum": {"en": 0, "zh": 0}},
    "verify": {"max_rejected": 1.0},
    "add_hard_negatives": {"tolerance": 1.0, "max_auc": 1.0, "self_replies": True},
    "mix": {"agent_per_general": 1_000_000, "self_replies": True},
    "render": {"max_dropped": 1.0},
}


class Measured(Record, frozen=True):
    """What one stage took; `wrote` are the bytes of its outputs in the folder of the recipe."""

    stage: str
    cpu_s: float
    wall_s: float
    peak_bytes: int
    wrote: int


def prepare(folder: Path, trajectories: int) -> None:
    """Write params.yaml and link what the stages read beside the data that they make."""
    plan = config.load("plan", PlanConfig, ROOT / "params.yaml", RECIPE)
    groups = trajectories // (plan.positives + 1)
    english = round(groups * ENGLISH)
    sizes = {"groups": {"en": english, "zh": groups - english}}
    changes = LIFTED | {"plan": LIFTED["plan"] | sizes}
    count_scripted.prepare(folder, RECIPE, changes, (*count_scripted.READ, "general.jsonl"))


def measure(stage: str, words: list[str], folder: Path) -> Measured:
    """Run the stage in a process of its own."""
    data = folder / "data" / RECIPE
    before = {path: path.stat().st_mtime_ns for path in data.iterdir()}
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{stage} failed with exit status {process.returncode}")
    made = [path for path in data.iterdir() if before.get(path) != path.stat().st_mtime_ns]
    return Measured(
        stage,
        usage.ru_utime + usage.ru_stime,
        time.monotonic() - started,
        usage.ru_maxrss * 1024,
        sum(path.stat().st_size for path in made),
    )


def run_stages(folder: Path) -> list[Measured]:
    log = folder / "measured.jsonl"
    measured = list(jsonl.read(log, Measured)) if log.exists() else []
    finished = {one.stage for one in measured}
    for stage, words in list_commands(RECIPE, STAGES[-1]):
        if stage in STAGES and stage not in finished:
            measured.append(measure(stage, words, folder))
            print(msgspec.json.encode(measured[-1]).decode(), flush=True)
            jsonl.write(log, measured)
    return measured


def format_table(measured: list[Measured]) -> str:
    head = format_row(("stage", "s of CPU", "peak memory, MB", "writes, MB"))
    rows = (
        format_row(
            (
                one.stage,
                f"{one.cpu_s:,.0f}",
                f"{one.peak_bytes / 1e6:,.0f}",
                f"{one.wrote / 1e6:,.0f}",
            )
        )
        for one in measured
        if one.stage in IN_TABLE
    )
    return "".join((head, "| --- | ---: | ---: | ---: |\n", *rows))


def describe_data(folder: Path) -> Iterator[str]:
    """What was rejected, which hard negatives there are, and what reached training."""
    rejected = {
        name.removeprefix("rejected_"): f"{count:,.0f}"
        for name, count in read_metrics(folder, "verify").items()
        if name.startswith("rejected_")
    }
    yield f"rejected by reason: {', '.join(map(' '.join, rejected.items()))}"
    negatives = read_metrics(folder, "add_hard_negatives")
    kinds = {
        name.removeprefix("negatives_"): f"{count / negatives['negatives']:.1%}"
        for name, count in negatives.items()
        if name.startswith("negatives_")
    }
    yield f"hard negatives by kind: {', '.join(map(' '.join, kinds.items()))}"
    trained = negatives["positives"] + negatives["negatives"]
    packs = read_metrics(folder, "render")
    yield (
        f"{trained:,.0f} trajectories pass, {packs['tokens']:,.0f} tokens in {packs['packs']:,.0f}"
        f" packs ({packs['tokens_without_sharing']:,.0f} without sharing)"
    )


def read_metrics(folder: Path, stage: str) -> dict[str, float]:
    return json_file.read(folder / f"metrics/{RECIPE}/{stage}.json", dict[str, float])


def main(trajectories: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    prepare(folder, trajectories)
    measured = run_stages(folder)
    print(format_table(measured))
    print(*describe_data(folder), sep="\n")
    if large := [one.stage for one in measured if one.peak_bytes > MEMORY]:
        sys.exit(f"more than {MEMORY / 1e9:g} GB: {', '.join(large)}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
