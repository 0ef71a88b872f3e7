"""How fast and in how much memory groups are packed.

`python -m tests.perf.bench_render [DATA BASE]` renders DATA/mixed.jsonl in the tokens of BASE,
copied under other prompts, as 10,000 trajectories and as 100,000, in one process each. It fails
below RATE, or if memory grows by more than MIB from one to the other.
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
import yaml

from agent_tuning.files import jsonl
from agent_tuning.records import Group
from tests.support import general_params

ROOT = Path(__file__).parents[2]
COUNTS = (10_000, 100_000)
RATE, MIB = 300_000, 200  # tokens per CPU second before sharing; growth


def copy_trajectories(mixed: Path, wanted: int) -> Iterator[Group]:
    """At least `wanted` trajectories; the first tool's description differs from copy to copy."""
    groups = [group for group in jsonl.read(mixed, Group) if group.tools]
    copied = 0
    for number in count():
        for group in groups:
            first, *others = group.tools
            changed = msgspec.structs.replace(first, description=f"{first.description} {number}")
            prompt = msgspec.structs.replace(group.prompt, tools=(changed, *others))
            yield msgspec.structs.replace(group, prompt=prompt)
            copied += len(group.trajectories)
            if copied >= wanted:
                return


def measure_render(folder: Path, base: Path) -> tuple[float, float]:
    """CPU seconds, and MiB at the peak."""
    command = [sys.executable, "-m", "stages.render", "mixed", str(base), "packs", "metrics"]
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit("render failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**10


def main(data: Path = Path("data/general"), base: Path = Path("data/base")) -> None:
    slowest, peaks = float("inf"), []
    for wanted in COUNTS:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            (folder / "params.yaml").write_text(yaml.safe_dump(general_params.read()))
            jsonl.write(folder / "mixed", copy_trajectories(data / "mixed.jsonl", wanted))
            seconds, memory = measure_render(folder, base.resolve())
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
