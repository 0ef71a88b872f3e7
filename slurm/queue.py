"""Slurm's commands, and what they say as records."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from trajectory.records import BadInput, Record

ENDED = (
    *("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY"),
    *("NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "DEADLINE"),
)
# Nothing of these goes through a shell of ours; a name that needs quoting is a slip or an attack.
PLAIN = re.compile(r"[\w.,:+-]+")
NAMES = ("SBATCH_PARTITION", "SBATCH_ACCOUNT", "SBATCH_QOS", "SBATCH_RESERVATION")
PATIENCE = 60.0  # seconds without an answer of the controller, when one must be had


class State(Record, frozen=True):
    """One answer about a job."""

    name: str
    reason: str = ""
    nodes: str = ""
    restarts: int = 0
    status: int = 0

    @property
    def ended(self) -> bool:
        return self.name in ENDED


def environment() -> dict[str, str]:
    """What a submission inherits; not the job in which we may be running ourselves."""
    for name in NAMES:
        value = os.environ.get(name, "plain")
        if not PLAIN.fullmatch(value):
            raise BadInput(f"{name}={value!r}: expected letters, digits and . , : + - _")
    ours = ("SLURM_CONF",)
    return {k: v for k, v in os.environ.items() if k in ours or not k.startswith("SLURM_")}


def ask(*command: str) -> str:
    """What the command prints. Refused: BadInput with Slurm's own words."""
    try:
        done = subprocess.run(
            command,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except FileNotFoundError as error:
        raise BadInput(f"no {command[0]} on PATH: this machine has no Slurm") from error
    except subprocess.TimeoutExpired as error:
        raise BadInput(f"{command[0]}: no answer within {PATIENCE:g} s") from error
    if done.returncode:
        said = done.stderr.replace(f"{command[0]}: error: ", "").split("\n")
        raise BadInput(f"{command[0]}: {'; '.join(filter(None, said)) or done.returncode}")
    return done.stdout


def live(name: str) -> str | None:
    """The id of the job of this name that waits or runs."""
    found = ask("squeue", "--me", f"--name={name}", "--noheader", "--format=%i", "--sort=-i")
    return next(iter(found.split()), None)


def submit(command: Sequence[str]) -> str:
    return ask(*command).split(";")[0].strip()


def state(job: str) -> State:
    """Of a job that the controller knows or the accounting remembers; else UNKNOWN."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return _state(ask("scontrol", "--oneliner", "show", "job", job))
        except BadInput as error:
            if "Invalid job id" in str(error):  # forgotten after MinJobAge
                return _remembered(job)
            if time.monotonic() > end:
                raise
            time.sleep(1)


def _state(line: str) -> State:
    fields = dict(re.findall(r"(\w+)=(\S*)", line))
    code, _, signal = fields["ExitCode"].partition(":")
    return State(
        fields["JobState"],
        fields["Reason"].replace("None", ""),
        fields["NodeList"].replace("(null)", ""),
        int(fields["Restarts"]),
        int(code) or (128 + int(signal) if int(signal) else 0),
    )


def _remembered(job: str) -> State:
    try:
        rows = ask("sacct", "-j", job, "-nXP", "-o", "State,NodeList,ExitCode").splitlines()
    except BadInput:
        rows = []
    if not rows:
        return State("UNKNOWN")
    name, nodes, code = rows[-1].split("|")
    return State(name.split()[0], nodes=nodes, status=int(code.split(":")[0]))


class Lock:
    """Held by one launcher of a run at a time, on every node: a folder, made or not made.

    One that is older than any submission takes belongs to a launcher that was killed.
    """

    STALE = 2 * PATIENCE

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        while True:
            try:
                self.path.mkdir()
                return
            except FileExistsError:
                self._break_if_stale()
                time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self.path.rmdir()

    def _break_if_stale(self) -> None:
        try:
            age = time.time() - self.path.stat().st_mtime
            if age > self.STALE:
                aside = self.path.with_name(f"{self.path.name}.{os.getpid()}.{time.time_ns()}")
                self.path.rename(aside)  # of two who try, one gets it
                aside.rmdir()
        except FileNotFoundError:
            return
