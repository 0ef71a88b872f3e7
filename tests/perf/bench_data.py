"""How long the data side takes: `python -m tests.perf.bench_data [TRAJECTORIES]`.

Plans, writes, verifies, adds negatives and diversifies in a temporary folder, one process a stage,
by the committed parameters but for the number of groups. Fails if it takes more than it may.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml

from agent_tuning.files import jsonl
from agent_tuning.records import Assistant, Group, PromptSpec, User
from benchmark.sources.derived_suites import list_task_queries
from tests.support import default_data

ROOT = Path(__file__).parents[2]
CHINESE = 0.4  # of the groups; more, and the smaller grammar has no new queries
SECONDS, GIB = 300, 1.5
CATALOGUE, PHRASING = ROOT / "data/catalogue", ROOT / "data/phrasing.yaml"
STAGES: dict[str, list[object]] = {
    "plan": [CATALOGUE, "plan", "coverage", "m.plan"],
    "synthesize": ["plan", CATALOGUE, PHRASING, "raw"],
    "verify": ["raw", CATALOGUE, "protected", "sound", "rejects", "m.verify"],
    "negatives": ["sound", CATALOGUE, PHRASING, "general", "protected", "negatives", "m.negatives"],
    "diversify": ["negatives", "diverse"],
}


class Cost(NamedTuple):
    """Seconds on the clock and of CPU, GiB at the peak."""

    wall: float
    cpu: float
    memory: float


def prepare(folder: Path, trajectories: int) -> None:
    """Parameters of that size, and what `suites` and `rehearse` would have written."""
    sections: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    groups = trajectories // default_data.PLAN.positives
    chinese = round(groups * CHINESE)
    sections["plan"]["groups"] = {"en": groups - chinese, "zh": chinese}
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    jsonl.write(folder / "protected", list_task_queries(default_data.HOUSE))
    reply = Assistant("no_call", text="I see.")
    asked = default_data.GENERAL_QUESTIONS.asked("train")
    answered = tuple(msgspec.structs.replace(one, turns=(User(one.query), reply)) for one in asked)
    jsonl.write(folder / "general", [Group("general", PromptSpec("general", "en", ()), answered)])


def cost(folder: Path, stage: str) -> Cost:
    start = time.monotonic()
    command = [sys.executable, "-m", f"stages.{stage}", *map(str, STAGES[stage])]
    running = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        sys.exit(f"{stage} failed")
    spent = usage.ru_utime + usage.ru_stime
    return Cost(time.monotonic() - start, spent, usage.ru_maxrss / 2**20)


def main(trajectories: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(folder, trajectories)
        costs = {stage: cost(folder, stage) for stage in STAGES}
    for stage, spent in costs.items():
        print(f"{stage:10} {spent.wall:6.1f} s {spent.cpu:6.1f} s CPU {spent.memory:5.2f} GiB")
    cpu = sum(spent.cpu for spent in costs.values())
    wall = sum(spent.wall for spent in costs.values())
    most = max(spent.memory for spent in costs.values())
    print(f"{'all':10} {wall:6.1f} s {cpu:6.1f} s CPU {most:5.2f} GiB, {trajectories} trajectories")
    if wall > SECONDS or most > GIB:
        sys.exit(f"more than {SECONDS} s or {GIB} GiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
