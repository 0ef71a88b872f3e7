"""Peak memory of a command: `python -m tests.perf.bench_memory python -m stages.train ...`.

Every 30 seconds a line has the RSS of the process now and its peak so far, so that growth shows;
the last line has the peak. The process itself is measured, not what it starts. To measure a stage
of the default run, give it the `cmd` that `dvc.yaml` has for it.
"""

import subprocess
import sys
import time

from agent_tuning.runtime.death_watch import read_status

INTERVAL = 0.5  # seconds between two looks
LINE = 30.0  # seconds between two lines


def read_gigabytes(status: dict[str, str], name: str) -> float:
    return int(status.get(name, "0 kB").split()[0]) * 1024 / 1e9


def main(command: list[str]) -> int:
    """Run the command; its exit status."""
    started = printed = time.monotonic()
    peak = 0.0
    process = subprocess.Popen(command)
    while process.poll() is None:
        status = read_status(process.pid)
        peak = max(peak, read_gigabytes(status, "VmHWM"))
        if (now := time.monotonic()) - printed >= LINE:
            printed = now
            rss = read_gigabytes(status, "VmRSS")
            print(
                f"memory: {now - started:.0f} s, RSS {rss:.2f} GB, peak {peak:.2f} GB", flush=True
            )
        time.sleep(INTERVAL)
    print(f"memory: {time.monotonic() - started:.0f} s in all, peak {peak:.2f} GB")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
