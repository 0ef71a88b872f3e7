"""Slurm's commands, and what they say as records."""

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
# Nothing of these goes through a shell of ours; a name that needs quoting is a slip or an attack.
PLAIN_NAME = re.compile(r"[\w.,:+-]+")
CHECKED_VARIABLES = (
    "SBATCH_PARTITION",
    "SBATCH_ACCOUNT",
    "SBATCH_QOS",
    "SBATCH_RESERVATION",
    "CPU_PARTITION",
)
JOB_UNKNOWN = "Invalid job id"
CONTROLLER_TIMEOUT_S = 60.0  # seconds without an answer of the controller, when one must be had


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
    """What a submission inherits; not the job in which we may be running ourselves."""
    for name in CHECKED_VARIABLES:
        value = os.environ.get(name, "plain")
        if not PLAIN_NAME.fullmatch(value):
            raise BadInput(f"{name}={value!r}: expected letters, digits and . , : + - _")
    ours = ("SLURM_CONF",)
    return {k: v for k, v in os.environ.items() if k in ours or not k.startswith("SLURM_")}


def run_command(*command: str, keep: tuple[int, ...] = ()) -> str:
    """What the command prints. Refused: BadInput with Slurm's own words.

    It inherits the file descriptors in `keep`.
    """
    try:
        done = subprocess.run(
            command,
            env=build_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=CONTROLLER_TIMEOUT_S,
            pass_fds=keep,
        )
    except FileNotFoundError as error:
        raise BadInput(f"no {command[0]} on PATH: this machine has no Slurm") from error
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"{command[0]}: no answer within {CONTROLLER_TIMEOUT_S:g} s") from error
    if done.returncode:
        said = done.stderr.replace(f"{command[0]}: error: ", "").split("\n")
        raise BadInput(f"{command[0]}: {'; '.join(filter(None, said)) or done.returncode}")
    return done.stdout


def find_live_jobs(name: str) -> list[str]:
    """Ids of the jobs of this name that wait or run, the first one first."""
    found = run_with_retries("squeue", "--me", f"--name={name}", "--noheader", "--format=%F")
    return sorted(set(found.split()), key=int)


def submit(command: Sequence[str], turn: int) -> str:
    """The id of the new job. `turn` lasts until sbatch has ended, whoever kills us meanwhile."""
    return run_command(*command, keep=(turn,)).split(";")[0].strip()


def query_state(job: str) -> JobState:
    """Of a job that the controller knows or the accounting remembers; else UNKNOWN."""
    try:
        return _state(run_with_retries("scontrol", "--oneliner", "show", "job", job))
    except BadInput as error:
        if JOB_UNKNOWN in str(error):  # after MinJobAge
            return _remembered(job)
        raise


def run_with_retries(*command: str) -> str:
    """What the command prints, if need be once the controller is up again."""
    end = time.monotonic() + CONTROLLER_TIMEOUT_S
    while True:
        try:
            return run_command(*command)
        except BadInput as error:
            if JOB_UNKNOWN in str(error) or time.monotonic() > end:
                raise
            time.sleep(1)


def _state(line: str) -> JobState:
    fields = dict(re.findall(r"(\w+)=(\S*)", line))
    code, _, signal = fields["ExitCode"].partition(":")
    return JobState(
        fields["JobState"],
        fields["Reason"].replace("None", ""),
        fields["NodeList"].replace("(null)", ""),
        int(fields["Restarts"]),
        int(code) or (128 + int(signal) if int(signal) else 0),
    )


def _remembered(job: str) -> JobState:
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
    """One launcher of a run at a time, on every node that shares the file.

    The kernel ends a turn with the last process that holds it. After a wait in which any
    submission must have ended, or where there are no locks, we go on without: Slurm then decides.
    """
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another launcher of this run is at it; waiting for it", flush=True)
            _wait_for(file)
        except OSError as error:
            print(f"{path}: {error.strerror}; Slurm decides", flush=True)
        yield file.fileno()


def _wait_for(file: IO[str]) -> None:
    end = time.monotonic() + 3 * CONTROLLER_TIMEOUT_S
    while time.monotonic() < end:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.1)
