"""Peak memory of a command and of each stage that it starts.

    python -m tests.perf.bench_memory python -m stages.train ...    # one stage: its cmd in dvc.yaml
    python -m tests.perf.bench_memory make repro                    # all of them

Every 30 seconds a line has the RSS of the largest process now and its peak so far, so that growth
shows. At the end there is a table: seconds and peak of every process that runs a stage.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent_tuning.files.markdown_table import format_row
from agent_tuning.runtime.death_watch import read_status

INTERVAL = 0.5  # seconds between two looks
LINE = 30.0  # seconds between two lines


@dataclass
class Watched:
    """A process, when it was seen first and last, and its memory in GB."""

    name: str
    first: float
    last: float
    rss: float = 0.0
    peak: float = 0.0


def read_gigabytes(status: dict[str, str], name: str) -> float:
    return int(status.get(name, "0 kB").split()[0]) * 1024 / 1e9


def list_family(pid: int) -> Iterator[int]:
    """A process and all that it started, directly or not."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in children:
            yield from list_family(int(child))


def name_process(pid: int) -> str:
    """The stage that a process runs, with what it writes; "" if it runs none."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return ""
    stages = [word for word in words if word.startswith("stages.")]
    written = [Path(word).stem for word in words if word.endswith(".jsonl") and "answers" in word]
    return " ".join((*stages[:1], *written[:1])).removeprefix("stages.") if stages else ""


def main(command: list[str]) -> int:
    """Run the command; its exit status."""
    started = printed = time.monotonic()
    watched: dict[int, Watched] = {}
    process = subprocess.Popen(command)
    while process.poll() is None:
        now = time.monotonic()
        family = {pid: read_status(pid) for pid in list_family(process.pid)}
        for pid, status in family.items():
            one = watched.setdefault(pid, Watched("", now, now))
            one.name = one.name or name_process(pid)  # a shell may become the stage
            one.last, one.rss = now, read_gigabytes(status, "VmRSS")
            one.peak = max(one.peak, read_gigabytes(status, "VmHWM"))
        if now - printed >= LINE:
            printed = now
            largest = max((watched[pid] for pid in family), key=lambda one: one.rss)
            print(
                f"memory: {now - started:.0f} s, RSS {largest.rss:.2f} GB, "
                f"peak {largest.peak:.2f} GB {largest.name}",
                flush=True,
            )
        time.sleep(INTERVAL)
    stages = [one for one in watched.values() if one.name]
    if stages:
        print(format_row(("stage", "s", "peak memory, GB")), "| --- | ---: | ---: |", sep="")
    for one in stages:
        print(format_row((one.name, f"{one.last - one.first:.0f}", f"{one.peak:.2f}")), end="")
    peak = max((one.peak for one in watched.values()), default=0.0)
    print(f"memory: {time.monotonic() - started:.0f} s in all, peak {peak:.2f} GB")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
