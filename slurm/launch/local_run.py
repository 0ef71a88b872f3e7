"""A job without Slurm, on this machine: CLUSTER=local. The folder of the run is the same.

The checks and the ranks of a node are started as Slurm would start them. Ctrl-C, or the end of the
terminal, saves a checkpoint and stops; the same command resumes.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

from agent_tuning.records import BadInput
from slurm.launch import job_log, manifest, run_folder
from slurm.launch.manifest import Event
from slurm.launch.run_folder import Run
from slurm.sizing import sizes
from slurm.sizing.sizes import Size

HOST = "this-machine"
POLL_S = 0.2
REPEAT_S = 5  # between requests to stop: a rank that was still starting has not heard the first


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
        status = _start_and_wait(run, size, attempt, lock.fileno())
        _record(run, attempt, "failed" if status else "finish", allocation.gpus)
        manifest.write(run.folder)
        if not status:
            (run.folder / "DONE").touch()
        fcntl.flock(lock, fcntl.LOCK_UN)  # slurm/node/run leaves a sleep that holds it, too
        return status


def _start_and_wait(run: Run, size: Size, attempt: str, lock: int) -> int:
    """The status of the ranks. What they write goes to the run's log, and from there to people.

    So ranks outlive the terminal until they have saved.
    """
    with open(run.log, "ab") as log:
        position = log.tell()
        ranks = _start(run, size, attempt, lock, log)
    with _stopped_by_signals(ranks):
        while (status := ranks.poll()) is None:
            position = _print_log_from(position, run)
            time.sleep(POLL_S)
    _print_log_from(position, run)
    return status


def _print_log_from(position: int, run: Run) -> int:
    with suppress(OSError):  # the terminal has gone
        return job_log.print_from(position, run.log)
    return position


def _start(
    run: Run, size: Size, attempt: str, lock: int, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start slurm/node/run. It holds `lock` until it ends, even if we are killed before."""
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
        stdout=log,
        stderr=log,
        pass_fds=[lock],
        start_new_session=True,  # Ctrl-C reaches this command alone
    )


@contextmanager
def _stopped_by_signals(ranks: subprocess.Popen[bytes]) -> Iterator[None]:
    """In this context Ctrl-C, TERM and HUP tell the ranks to save, until they have ended."""

    def stop(number: int, _: object) -> None:
        for process in reversed(_list_processes(ranks.pid)):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGUSR1)
        signal.alarm(REPEAT_S)
        if number != signal.SIGALRM:
            with suppress(OSError):  # the terminal has gone
                print("stopping after this step; the same command resumes", flush=True)

    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGALRM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)


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
