"""A job without Slurm, on this machine: CLUSTER=local. The folder of the run is the same.

The checks and the ranks of a node are started as Slurm would start them. Ctrl-C saves a checkpoint
and stops; the same command resumes.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from agent_tuning.records import BadInput
from slurm.launch import manifest, run_folder
from slurm.launch.manifest import Event
from slurm.launch.run_folder import Run
from slurm.sizing import sizes
from slurm.sizing.sizes import Size

HOST = "this-machine"


def run(run: Run, size: Size, needs: Mapping[str, int]) -> int:
    """Run the stage to its end, if it has not; the exit status.

    Raises BadInput if another command runs it.
    """
    with open(run.folder / "running", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadInput(f"{run.name}: another command runs it on this machine") from error
        if run.done:
            return 0
        shutil.rmtree(run.folder / "bad", ignore_errors=True)
        run_folder.refresh(run, needs)
        attempt = str(time.time_ns())
        (run.folder / "owner").write_text(f"{attempt}\n")
        for name in ("ended", "scratch"):
            (run.folder / name).mkdir(exist_ok=True)
        allocation = size.allocation(run.job.stage)
        _record(run, attempt, "start", allocation.gpus)
        print(f"{run.name}: starts here, logs in {run.log.parent}", flush=True)
        status = _wait(_start(run, size, attempt))
        _record(run, attempt, "failed" if status else "finish", allocation.gpus)
        manifest.write(run.folder)
        if not status:
            (run.folder / "DONE").touch()
        return status


def _start(run: Run, size: Size, attempt: str) -> subprocess.Popen[bytes]:
    stage, allocation = run.job.stage, size.allocation(run.job.stage)
    python = sizes.find_python(size, stage)
    paths = map(str, (*run.job.inputs, *run.job.outputs))
    environment = {
        **os.environ,
        "ATTEMPT": attempt,
        "RENDEZVOUS": "localhost:0",
        "SLURMD_NODENAME": HOST,
        "SLURM_NNODES": "1",
        "SLURM_GPUS_ON_NODE": str(allocation.gpus),
    }
    return subprocess.Popen(
        ["slurm/node/run", str(allocation.ranks), python, f"stages.{stage}", *paths],
        cwd=run.folder,
        env=environment,
        start_new_session=True,  # Ctrl-C reaches this command alone
    )


def _wait(ranks: subprocess.Popen[bytes]) -> int:
    """The status of the ranks. At Ctrl-C or TERM they are told to save, as Slurm tells them."""

    def stop(*_: object) -> None:
        print("stopping after this step; the same command resumes", flush=True)
        for process in reversed(_list_processes(ranks.pid)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGUSR1)

    before = signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    try:
        return ranks.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _list_processes(process: int) -> list[int]:
    """The process and all below it: torchrun gives every rank a session of its own."""
    found = [process]
    for parent in found:
        with suppress(OSError):
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
            found += map(int, children.split())
    return found


def _record(run: Run, attempt: str, event: str, gpus: int) -> None:
    line = Event(f"{attempt}.0", event, int(time.time()), HOST, gpus)
    with (run.folder / "history.jsonl").open("ab") as file:
        file.write(msgspec.json.encode(line) + b"\n")
