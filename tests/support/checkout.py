"""A small repository from which tests launch jobs on their own Slurm.

A few lines of shell replace torchrun (LAUNCH_PREFIX). All the rest is what trains 72B.
"""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import yaml

from slurm.launch.manifest import Event
from tests.support import general_params
from tests.support.slurm_cluster import SlurmCluster, wait_for

ROOT = Path(__file__).parents[2]
LAUNCH_COMMAND = [
    *(sys.executable, "-m", "slurm.launch.launcher"),
    *("tiny", "train", "in.txt", "--", "out.txt"),
]
RUN_OWN_MODULES = 'case "$3" in slurm.*) exec "$@" ;; esac'  # only torchrun is replaced
WRITE_RESULT = "echo result > out.txt"
WRITE_CHECKPOINT = (
    "mkdir -p scratch/checkpoint-$ATTEMPT && touch scratch/checkpoint-$ATTEMPT/COMPLETE"
)
# Waits for the file `go`. On USR1 it saves a checkpoint and stops, as stages.train does. This is
# Python because a shell cannot trap a signal that was ignored when the shell started.
WAIT_FOR_GO = """python3 -IS -c '
import os, pathlib, signal, sys, time
os.setsid()  # torchrun gives every rank a session of its own
def save(*_):
    folder = pathlib.Path("scratch/checkpoint-" + os.environ["ATTEMPT"])
    folder.mkdir(exist_ok=True)
    (folder / "COMPLETE").touch()
    sys.exit(75)
signal.signal(signal.SIGUSR1, save)
pathlib.Path("up").touch()
while not os.path.exists("go"):
    time.sleep(0.05)
' || exit 75"""
HAS_CHECKPOINT = "ls scratch/*/COMPLETE > /dev/null 2>&1"


class Checkout:
    """`slurm` runs the jobs of this repository; `set_rank_script` says what every node runs."""

    def __init__(self, folder: Path, slurm: SlurmCluster) -> None:
        self.folder = folder
        self.slurm = slurm
        for package in ("stages", "agent_tuning", "benchmark", "slurm"):
            (folder / package).symlink_to(ROOT / package)
        shutil.copy(ROOT / "requirements.lock", folder)
        (folder / "params.yaml").write_text(yaml.safe_dump(general_params.read()))
        (folder / "in.txt").write_text(folder.name)
        self.environment = slurm.environment() | {
            "CLUSTER": "slurm",
            "RUNS_ROOT": str(folder),
            "DS_ACCELERATOR": "cpu",
            "LAUNCH_PREFIX": f"bash {folder}/rank.sh",
        }
        self.started: list[subprocess.Popen[str]] = []

    def set_rank_script(self, script: str, **size: object) -> None:
        """The shell script of every rank, on one node and one GPU unless `size` says otherwise."""
        (self.folder / "rank.sh").write_text(f"{RUN_OWN_MODULES}\n{script}\n")
        params = general_params.read()
        params["models"]["tiny"] |= {"nodes": 1, "gpus": 1} | size
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params))

    def start(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command or LAUNCH_COMMAND,
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell's background jobs ignore Ctrl-C, and pass that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.started.append(process)
        return process

    def launch(self, **environment: str) -> tuple[int, str]:
        return self.end(self.start(**environment))

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        output, _ = process.communicate(timeout=300)
        return process.returncode, output

    @property
    def run(self) -> Path:
        (run,) = self.folder.glob("tiny-train-*")
        return run

    def jobs(self) -> list[str]:
        """Ids of all jobs of this checkout, also of those that have ended, the latest first."""
        lines = self.slurm.ask("scontrol", "-o", "show", "jobs").splitlines()
        return [
            line.split()[0].removeprefix("JobId=") for line in lines if f"={self.folder}/" in line
        ]

    def live(self) -> list[str]:
        """Names of the jobs of this checkout that wait or run."""
        lines = self.slurm.ask("squeue", "--noheader", "--format=%Z %j").splitlines()
        return [line for line in lines if line.startswith(f"{self.folder}/")]

    def wait_until_running(self) -> str:
        """Wait until a rank runs WAIT_FOR_GO; the id of the job."""
        wait_for("a rank", lambda: bool(list(self.folder.glob("tiny-train-*/up"))), 120)
        return self.jobs()[0]

    def stop(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()
        for job in self.jobs():
            self.slurm.ask("scancel", job)

    def history(self) -> list[str]:
        """Starts and ends of the job, in order."""
        lines = (self.run / "history.jsonl").read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Event).event for line in lines]
