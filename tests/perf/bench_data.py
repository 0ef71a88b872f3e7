"""How long the data side takes: `python -m tests.perf.bench_data [TRAJECTORIES]`.

Runs plan, synthesize, verify, add_hard_negatives and diversify in a temporary folder, one process
a stage, with the committed parameters but another number of groups. Fails above SECONDS or GIB.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, Group, PromptSpec, User
from benchmark.sources.derived_suites import list_task_queries
from tests.support import default_data, general_params

ROOT = Path(__file__).parents[2]
CHINESE = 0.4  # of the groups; with more, the smaller grammar runs out of new queries
SECONDS, GIB = 300, 1.5
CATALOGUE, PHRASING = ROOT / "data/catalogue", ROOT / "data/phrasing.yaml"
INSTRUCTIONS = ROOT / "data/instructions.yaml"
# The options of every stage.
STAGES: dict[str, dict[str, object]] = {
    "plan": {"catalogue": CATALOGUE, "plan": "plan", "coverage": "coverage", "metrics": "m.plan"},
    "synthesize": {
        "plan": "plan",
        "catalogue": CATALOGUE,
        "phrasing": PHRASING,
        "replies": "replies",
        "raw": "raw",
        "failures": "failures",
        "metrics": "m.synthesize",
    },
    "verify": {
        "raw": "raw",
        "catalogue": CATALOGUE,
        "protected": "protected",
        "sound": "sound",
        "rejects": "rejects",
        "metrics": "m.verify",
    },
    "add_hard_negatives": {
        "sound": "sound",
        "catalogue": CATALOGUE,
        "phrasing": PHRASING,
        "general": "general",
        "imported": "imported",
        "protected": "protected",
        "with-negatives": "with_negatives",
        "metrics": "m.add_hard_negatives",
    },
    "diversify": {
        "with-negatives": "with_negatives",
        "written": "written",
        "imported": "imported",
        "held-back": "held_back",
        "instructions": INSTRUCTIONS,
        "diverse": "diverse",
        "validation": "validation",
    },
}


class Cost(NamedTuple):
    """Seconds on the clock and of CPU, GiB at the peak."""

    wall: float
    cpu: float
    memory: float


def write_inputs(folder: Path, trajectories: int) -> None:
    """Write parameters of that size, and stand-ins for what `suites` and `self_replies` write."""
    sections = general_params.read()
    groups = trajectories // default_data.PLAN.positives
    chinese = round(groups * CHINESE)
    sections["plan"]["groups"] = {"en": groups - chinese, "zh": chinese}
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    for name in ("written", "held_back", "imported"):
        jsonl.write(folder / name, [])
    jsonl.write(folder / "protected", list_task_queries(default_data.HOUSE))
    reply = Assistant("no_call", text="I see.")
    answered = tuple(
        msgspec.structs.replace(question, turns=(User(question.query), reply))
        for question in default_data.GENERAL_QUESTIONS.asked("train")
    )
    jsonl.write(folder / "general", [Group("general", PromptSpec("general", "en", ()), answered)])


def measure_stage(folder: Path, stage: str) -> Cost:
    start = time.monotonic()
    options = [word for name, path in STAGES[stage].items() for word in (f"--{name}", str(path))]
    command = [sys.executable, "-m", f"stages.{stage}", *options]
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{stage} failed")
    cpu = usage.ru_utime + usage.ru_stime
    return Cost(time.monotonic() - start, cpu, usage.ru_maxrss / 2**20)


def main(trajectories: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_inputs(folder, trajectories)
        costs = {stage: measure_stage(folder, stage) for stage in STAGES}
    for stage, cost in costs.items():
        print(f"{stage:18} {cost.wall:6.1f} s {cost.cpu:6.1f} s CPU {cost.memory:5.2f} GiB")
    cpu = sum(cost.cpu for cost in costs.values())
    wall = sum(cost.wall for cost in costs.values())
    peak = max(cost.memory for cost in costs.values())
    print(f"{'all':18} {wall:6.1f} s {cpu:6.1f} s CPU {peak:5.2f} GiB, {trajectories} trajectories")
    if wall > SECONDS or peak > GIB:
        sys.exit(f"more than {SECONDS} s or {GIB} GiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
