"""How fast and in how much memory groups are packed: `python -m tests.perf.bench_render [DATA]`.

Renders DATA/mixed.jsonl, copied under other prompts, as 10,000 trajectories and as 100,000, in one
process each. Fails if it is slower, or grows more from one to the other, than it may.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec

from agent_tuning.files import jsonl
from agent_tuning.records import Group

ROOT = Path(__file__).parents[2]
COUNTS = (10_000, 100_000)
RATE, MIB = 300_000, 200  # least tokens per second of CPU, before sharing; most growth


def copies(mixed: Path, wanted: int) -> Iterator[Group]:
    """So many trajectories; the first tool's description differs from copy to copy."""
    groups = [group for group in jsonl.read(mixed, Group) if group.tools]
    made = 0
    for number in count():
        for group in groups:
            first, *rest = group.tools
            other = msgspec.structs.replace(first, description=f"{first.description} {number}")
            yield msgspec.structs.replace(group, tools=(other, *rest))
            made += len(group.trajectories)
            if made >= wanted:
                return


def cost(folder: Path, base: Path) -> tuple[float, float]:
    """Seconds of CPU, MiB at the peak."""
    command = [sys.executable, "-m", "stages.render", "mixed", str(base), "packs", "metrics"]
    running = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        sys.exit("render failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**10


def main(data: Path = Path("data")) -> None:
    slowest, peaks = float("inf"), []
    for wanted in COUNTS:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
            jsonl.write(folder / "mixed", copies(data / "mixed.jsonl", wanted))
            seconds, memory = cost(folder, (data / "base").resolve())
            tokens = json.loads((folder / "metrics").read_text())["tokens_without_sharing"]
        slowest = min(slowest, tokens / seconds)
        peaks.append(memory)
        print(
            f"{wanted:7} trajectories: {tokens / seconds:9,.0f} tokens/s of CPU, {memory:4.0f} MiB"
        )
    if slowest < RATE or peaks[1] - peaks[0] > MIB:
        sys.exit(f"less than {RATE:,} tokens/s, or more than {MIB} MiB on top")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
