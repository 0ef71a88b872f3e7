"""A process of its own that says in one line what killed a command: `death_watch.py PID PIPE NAME`.

A process that gets SIGKILL cannot say why it ends. This one waits for it, remembers its peak memory
and asks the kernel whether it has killed for memory since. It imports only the standard library and
takes 8 MB.
"""

import os
import select
import sys
from pathlib import Path

FINISHED = b"f"  # what the command writes to the pipe before it ends by itself
INTERVAL = 1.0  # seconds between two looks at the memory
HINTS = {"train": "set train.activation_checkpointing_every: 1 in params.yaml, or "} | {
    stage: f"lower {stage}.batch_size in params.yaml, or "
    for stage in ("predict", "rerun_variance", "episodes", "retention", "self_replies")
}


def read_status(pid: int) -> dict[str, str]:
    """The lines of /proc/PID/status by name; none if there is no such process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def count_memory_kills() -> int:
    """Processes that the kernel of this machine has killed for memory, in any cgroup."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def describe_death(name: str, for_memory: bool, peak_kb: int) -> str:
    peak = f"peak RSS {peak_kb * 1024 / 1e9:.1f} GB"
    if not for_memory:
        return f"{name}: killed by a signal, not for memory; {peak}; run the same command to resume"
    hint = HINTS.get(name, "")
    return (
        f"{name}: killed for memory; {peak}; {hint}free some memory; run the same command to resume"
    )


def watch(pid: int, pipe: int, name: str) -> str | None:
    """Wait until the process ends. What killed it; None if it says that it ends by itself."""
    kills, peak = count_memory_kills(), 0
    while not select.select([pipe], [], [], INTERVAL)[0]:
        peak = max(peak, int(read_status(pid).get("VmHWM", "0 kB").split()[0]))
        # Its own children may hold the pipe open for longer than it lives.
        if read_status(pid).get("State", "Z")[0] in "ZX":
            break
    else:
        if os.read(pipe, 1) == FINISHED:
            return None
    return describe_death(name, count_memory_kills() > kills, peak)


if __name__ == "__main__":
    text = watch(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
    if text:
        print(text, file=sys.stderr, flush=True)
