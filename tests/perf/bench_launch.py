"""Time from `make train` to the start of its job, on a Slurm of one machine.

Data and base model exist, as when a size is trained again. Nobody waits for the job itself.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support import cluster_repo, slurm_cluster
from tests.support.slurm_cluster import SlurmCluster

REPEATS = 5
MAKE = ("make", "--old-file=.venv/ready", "train", "SIZE=tiny")


def read_children_cpu() -> float:
    """CPU seconds of all child processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure_launch(folder: Path, slurm: SlurmCluster, runs: str) -> tuple[float, float, float]:
    """Seconds until sbatch has answered and until the batch script runs; CPU seconds of it."""
    environment = cluster_repo.environment(folder, slurm, runs) | {"WAIT": "0"}
    environment["LAUNCH_PREFIX"] = "sleep 60 #"  # the job needs no processor meanwhile
    start, cpu_before = time.time(), read_children_cpu()
    subprocess.run(MAKE, cwd=folder, env=environment, check=False, capture_output=True)
    cpu = read_children_cpu() - cpu_before
    (submitted,) = (folder / runs).glob("*/job.json")
    owner = submitted.with_name("owner")
    slurm_cluster.wait_for("the batch script", owner.exists)
    slurm.ask("scancel", "--user=root")
    return submitted.stat().st_mtime - start, owner.stat().st_mtime - start, cpu


def make_inputs(folder: Path, slurm: SlurmCluster) -> None:
    """Make data, base model and packs, as an earlier training leaves them."""
    stages = [f"slurm/dvc.yaml:{stage}@tiny" for stage in ("fetch", "render")]
    for command in (["dvc", "repro"], ["dvc", "repro", "-s", *stages]):
        environment = cluster_repo.environment(folder, slurm, "none")
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)


def main() -> None:
    if problem := slurm_cluster.why_unavailable():
        sys.exit(f"error: {problem}")
    with tempfile.TemporaryDirectory() as temporary, slurm_cluster.running() as slurm:
        folder = cluster_repo.build_repository(Path(temporary))
        make_inputs(folder, slurm)
        rows = [measure_launch(folder, slurm, f"runs{number}") for number in range(REPEATS)]
    load = os.getloadavg()[0]
    names = ("`make train` to sbatch's answer", "to the start of the batch script", "CPU of it")
    print(f"median (least, most) of {REPEATS}, {os.cpu_count()} CPUs at a load of {load:.1f}")
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        print(f"{name}: {statistics.median(values):.2f} s ({min(values):.2f}, {max(values):.2f})")


if __name__ == "__main__":
    main()
