"""When, where and out of what a report was made: run.html, beside the page that shows it.

All of it differs from run to run. It stands beside the page, which the same results leave as it is.
"""

import datetime
import os
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import jinja2

from agent_tuning.files import atomic_write
from agent_tuning.runtime.visible_text import show_controls
from benchmark.reports import speed_logs

CODE = ("agent_tuning", "benchmark", "stages", "slurm", "params.yaml", "dvc.yaml")
SPEED_LOGS = Path("scratch/train")


def describe_run(steps: int) -> Iterator[tuple[str, str]]:
    """Names and values; `steps` is how many steps the training of this model has."""
    yield "commit", _find_commit()
    yield "written", datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield "training", _find_training_time(steps)
    yield "machine", find_machine()


def write(path: Path, steps: int) -> None:
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, keep_trailing_newline=True)
    rows = [(name, show_controls(value)) for name, value in describe_run(steps)]
    atomic_write.write_text(path, environment.get_template("run.html.jinja").render(rows=rows))


def _find_commit() -> str:
    commit = _run_git("log", "-1", "--format=%h %s")
    if not commit:
        return "not in a git repository"
    changed = _run_git("status", "--porcelain", "--", *CODE)
    return f"{commit} (with changes that are not committed)" if changed else commit


def _run_git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _find_training_time(steps: int) -> str:
    """The newest run on this machine that has all of the steps."""
    for _, done in speed_logs.read_logs(SPEED_LOGS):
        if len(done) == steps:
            return f"{sum(step.seconds for step in done) / 60:.0f} minutes, {steps} steps"
    return f"{steps} steps, on another machine or cleaned up since"


def find_machine() -> str:
    """Cores, CPU and system of this machine, in words."""
    return f"{os.cpu_count()} cores of {_find_processor()}, {platform.system()}"


def _find_processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
