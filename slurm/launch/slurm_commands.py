"""Slurm's commands, and their output as records."""

import fcntl
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from agent_tuning.records import BadInput, Record

END_STATES = (
    *("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY"),
    *("NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE"),
)
# None of these goes through a shell of ours. A name that needs quoting is a slip or an attack.
PLAIN_NAME = re.compile(r"[\w.,:+-]+")
CHECKED_VARIABLES = (
    *("SBATCH_PARTITION", "SBATCH_ACCOUNT", "SBATCH_QOS", "SBATCH_RESERVATION"),
    *("SBATCH_TIMELIMIT", "CPU_PARTITION", "GPU_TYPE", "MEM"),
)
JOB_UNKNOWN = "Invalid job id"
CONTROLLER_TIMEOUT_S = 60.0  # how long we wait for an answer that we must have
# A controller that is restarted must not end a launcher that waits for days.
POLL_PATIENCE_S = 1800.0
RETRY_S = 1.0
TIME_LIMIT = re.compile(r"(?:(?P<days>\d+)-)?(?P<rest>\d+(?::\d+){0,2})")


class JobState(Record, frozen=True):
    """One answer about a job."""

    name: str
    reason: str = ""
    nodes: str = ""
    restarts: int = 0
    status: int = 0

    @property
    def ended(self) -> bool:
        return self.name in END_STATES


def build_environment() -> dict[str, str]:
    """The environment of a submission, without that of a job in which we may be running.

    Raises BadInput if a variable that names a part of the cluster needs quoting.
    """
    for name in CHECKED_VARIABLES:
        value = os.environ.get(name, "plain")
        if not PLAIN_NAME.fullmatch(value):
            raise BadInput(f"{name}={value!r}: expected letters, digits and . , : + - _")
    kept = ("SLURM_CONF",)
    return {k: v for k, v in os.environ.items() if k in kept or not k.startswith("SLURM_")}


def run_command(*command: str, inherited_files: tuple[int, ...] = ()) -> str:
    """The command's output. Raises BadInput with Slurm's own words if Slurm refuses it.

    The command inherits the file descriptors in `inherited_files`.
    """
    try:
        process = subprocess.run(
            command,
            env=build_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=CONTROLLER_TIMEOUT_S,
            pass_fds=inherited_files,
        )
    except FileNotFoundError as error:
        raise BadInput(f"no {command[0]} on PATH: this machine has no Slurm") from error
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"{command[0]}: no answer within {CONTROLLER_TIMEOUT_S:g} s") from error
    if process.returncode:
        lines = process.stderr.replace(f"{command[0]}: error: ", "").split("\n")
        raise BadInput(f"{command[0]}: {'; '.join(filter(None, lines)) or process.returncode}")
    return process.stdout


def run_with_retries(*command: str, patience: float = CONTROLLER_TIMEOUT_S) -> str:
    """The command's output; while the controller is down, retry for `patience` seconds."""
    end = time.monotonic() + patience
    while True:
        try:
            return run_command(*command)
        except BadInput as error:
            if JOB_UNKNOWN in str(error) or time.monotonic() > end:
                raise
            time.sleep(RETRY_S)


def parse_time_limit(text: str) -> int | None:
    """Seconds of a time limit as sbatch reads it; None if it knows no number there, or 0: no limit.

    MINUTES, MINUTES:SECONDS, HOURS:MINUTES:SECONDS, DAYS-HOURS, DAYS-HOURS:MINUTES and
    DAYS-HOURS:MINUTES:SECONDS.
    """
    if not (match := TIME_LIMIT.fullmatch(text)):
        return None
    parts = list(map(int, match["rest"].split(":")))
    if match["days"] is not None:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
        parts = [int(match["days"]) * 24 + hours, minutes, seconds]
    elif len(parts) < 3:
        parts = [0, *parts, 0][:3]
    return parts[0] * 3600 + parts[1] * 60 + parts[2] or None


def find_live_jobs(name: str, patience: float = CONTROLLER_TIMEOUT_S) -> list[str]:
    """Ids of the jobs of this name that wait or run, the first one first."""
    ask = ("squeue", "--me", f"--name={name}", "--noheader", "--format=%F")
    ids = run_with_retries(*ask, patience=patience)
    return sorted(set(ids.split()), key=int)


def submit(command: Sequence[str], lock: int) -> str:
    """Submit a job and return its id.

    sbatch inherits the `lock`, so it is held until sbatch has ended even if we are killed before.
    """
    return run_command(*command, inherited_files=(lock,)).split(";")[0].strip()


def query_state(job: str) -> JobState:
    """From the controller, or from the accounting once the controller has forgotten the job.

    The name is UNKNOWN if neither knows the job.
    """
    try:
        show = ("scontrol", "--oneliner", "show", "job", job)
        return parse_state(run_with_retries(*show, patience=POLL_PATIENCE_S))
    except BadInput as error:
        if JOB_UNKNOWN in str(error):  # after MinJobAge
            return _query_accounting(job)
        raise


def parse_state(line: str) -> JobState:
    """From a line of `scontrol --oneliner show job`."""
    fields = dict(re.findall(r"(\w+)=(\S*)", line))
    code, _, signal = fields["ExitCode"].partition(":")
    return JobState(
        fields["JobState"],
        fields["Reason"].replace("None", ""),
        fields["NodeList"].replace("(null)", ""),
        int(fields["Restarts"]),
        int(code) or (128 + int(signal) if int(signal) else 0),
    )


def _query_accounting(job: str) -> JobState:
    try:
        rows = run_command("sacct", "-j", job, "-nXP", "-o", "State,NodeList,ExitCode").splitlines()
    except BadInput:
        rows = []
    if not rows:
        return JobState("UNKNOWN")
    name, nodes, code = rows[-1].split("|")
    return JobState(name.split()[0], nodes=nodes, status=int(code.split(":")[0]))


@contextmanager
def launcher_lock(path: Path) -> Iterator[int]:
    """Hold a lock that only one launcher of a run has, on all nodes that share the file.

    The kernel frees the lock when the last process that holds it ends. If the lock is not free
    after the longest time that a submission takes, or if the file system has no locks, continue
    without it: then Slurm decides between two launchers.
    """
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another launcher of this run is submitting; waiting for it", flush=True)
            _wait_for_lock(file)
        except OSError as error:
            print(
                f"{path}: cannot lock ({error.strerror}); if two launchers submit, "
                "the lower job id stays",
                flush=True,
            )
        yield file.fileno()


def _wait_for_lock(file: IO[str]) -> None:
    end = time.monotonic() + 3 * CONTROLLER_TIMEOUT_S
    while time.monotonic() < end:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.1)
