"""Jobs on a real Slurm: the launcher, the batch script and what may happen to them.

Here torchrun is replaced by a few lines of shell (LAUNCH_PREFIX): all the rest is what trains
72B. tests/test_cluster.py trains for real.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from slurm import manifest
from slurm.manifest import Event, Manifest
from tests.lab import Lab, wait_for

ROOT = Path(__file__).parent.parent
LAUNCH = [sys.executable, "-m", "slurm.launch", "tiny", "train", "in.txt", "--", "out.txt"]
OURS = 'case "$3" in slurm.*) exec "$@" ;; esac'  # only torchrun is replaced
WRITE = "echo result > out.txt"
CHECKPOINT = "mkdir -p scratch/checkpoint-$MINE && touch scratch/checkpoint-$MINE/COMPLETE"
# Works until it may end; told to stop it saves first, as stages.train does. In Python, since a
# shell cannot trap a signal that was ignored when it started.
PATIENT = """python3 -IS -c '
import os, pathlib, signal, sys, time
os.setsid()  # torchrun gives every rank a session of its own
def save(*_):
    folder = pathlib.Path("scratch/checkpoint-" + os.environ["MINE"])
    folder.mkdir(exist_ok=True)
    (folder / "COMPLETE").touch()
    sys.exit(75)
signal.signal(signal.SIGUSR1, save)
pathlib.Path("up").touch()
while not os.path.exists("go"):
    time.sleep(0.05)
' || exit 75"""
SAVED = "ls scratch/*/COMPLETE > /dev/null 2>&1"


class Checkout:
    """A small repository from which jobs are launched; `rank` is what every node runs."""

    def __init__(self, folder: Path, slurm: Lab) -> None:
        self.folder = folder
        self.slurm = slurm
        for package in ("stages", "trajectory", "benchmark", "slurm"):
            (folder / package).symlink_to(ROOT / package)
        for file in ("params.yaml", "requirements.lock"):
            shutil.copy(ROOT / file, folder)
        (folder / "in.txt").write_text(folder.name)
        ours = {"CLUSTER": "slurm", "RUNS_ROOT": str(folder), "DS_ACCELERATOR": "cpu"}
        ours["LAUNCH_PREFIX"] = f"bash {folder}/rank.sh"
        self.environment = slurm.environment() | ours
        self.started: list[subprocess.Popen[str]] = []

    def runs(self, rank: str, **size: object) -> None:
        """One node and one GPU, if `size` says nothing else."""
        (self.folder / "rank.sh").write_text(f"{OURS}\n{rank}\n")
        params = yaml.safe_load((ROOT / "params.yaml").read_text())
        params["models"]["tiny"] |= {"nodes": 1, "gpus": 1} | size
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params))

    def start(self, *command: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command or LAUNCH,
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
        output, _ = process.communicate(timeout=150)
        return process.returncode, output

    @property
    def run(self) -> Path:
        (run,) = self.folder.glob("tiny-train-*")
        return run

    def jobs(self) -> list[str]:
        """Ids of all jobs of this checkout, ended ones too, the latest first."""
        lines = self.slurm.ask("scontrol", "-o", "show", "jobs").splitlines()
        return [
            line.split()[0].removeprefix("JobId=") for line in lines if f"={self.folder}/" in line
        ]

    def until_up(self) -> str:
        """Wait until the rank works; the id of the job."""
        wait_for("a rank", lambda: bool(list(self.folder.glob("tiny-train-*/up"))), 60)
        return self.jobs()[0]

    def leave(self) -> None:
        for process in self.started:
            process.kill()
            process.communicate()
        for job in self.jobs():
            self.slurm.ask("scancel", job)

    def history(self) -> list[str]:
        lines = (self.run / "history.jsonl").read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Event).event for line in lines]


@pytest.fixture
def checkout(slurm, tmp_path) -> Iterator[Checkout]:
    made = Checkout(tmp_path, slurm)
    yield made
    made.leave()


@pytest.fixture(scope="module", autouse=True)
def deaf(slurm, tmp_path_factory) -> Iterator[tuple[Checkout, subprocess.Popen[str]]]:
    """Runs into its time limit, which takes a minute, while other tests run."""
    made = Checkout(tmp_path_factory.mktemp("deaf"), slurm)
    made.runs("trap '' USR1; sleep 300")  # it saves nothing
    yield made, made.start(SBATCH_TIMELIMIT="1")
    made.leave()


def test_a_job_that_ends_well_leaves_its_result_where_the_pipeline_expects_it(checkout):
    checkout.runs(WRITE, nodes=2, gpus=2)
    began = time.monotonic()
    status, output = checkout.launch()
    print(f"launcher, job and collection: {time.monotonic() - began:.1f} s")
    assert status == 0, output
    assert (checkout.folder / "out.txt").read_text() == "result\n"
    assert "COMPLETED (node[1-2])" in output
    assert checkout.history() == ["start", "finish"]
    made = msgspec.json.decode((checkout.run / "manifest.json").read_bytes(), type=Manifest)
    assert made == manifest.of(checkout.run)
    assert (made.jobs, made.nodes) == (tuple(checkout.jobs()), ("node1", "node2"))
    assert made.attempts[0].gpus == 4


def test_the_same_command_collects_a_finished_job_and_submits_none(checkout):
    checkout.runs(WRITE)
    checkout.launch()
    (checkout.folder / "out.txt").unlink()
    status, output = checkout.launch()
    assert status == 0, output
    assert (checkout.folder / "out.txt").exists()
    assert len(checkout.jobs()) == 1


def test_other_input_is_another_job(checkout):
    checkout.runs(WRITE)
    checkout.launch()
    (checkout.folder / "in.txt").write_text("changed")
    assert checkout.launch()[0] == 0
    assert len(checkout.jobs()) == 2


def test_an_edit_while_the_job_waits_changes_nothing_in_it(checkout):
    checkout.runs(PATIENT + "; cp in.txt out.txt")
    process = checkout.start()
    checkout.until_up()
    (checkout.folder / "in.txt").unlink()
    (checkout.folder / "in.txt").write_text("edited")
    (checkout.run / "go").touch()
    assert checkout.end(process)[0] == 0
    assert (checkout.folder / "out.txt").read_text() == checkout.folder.name


def test_a_failed_job_is_named_with_its_status_and_the_end_of_its_log(checkout):
    checkout.runs("echo no such tensor >&2; exit 7")
    status, output = checkout.launch()
    assert status == 7
    assert "FAILED, exit status 7, on node" in output
    assert "  no such tensor" in output.split("The end of")[1]


def test_a_cancelled_job_is_named(checkout):
    checkout.runs(PATIENT)
    process = checkout.start()
    checkout.slurm.ask("scancel", checkout.until_up())
    status, output = checkout.end(process)
    assert status != 0
    assert "CANCELLED" in output
    assert len(checkout.jobs()) == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_launcher_that_dies_leaves_the_job_and_the_next_one_attaches(checkout, how):
    checkout.runs(f"{PATIENT}; {WRITE}")
    first = checkout.start()
    checkout.until_up()
    first.send_signal(how)
    assert checkout.end(first)[0] != 0
    second = checkout.start()
    assert second.stdout is not None
    assert "attached" in second.stdout.readline()
    (checkout.run / "go").touch()
    status, output = checkout.end(second)
    assert status == 0, output
    assert len(checkout.jobs()) == 1


def test_a_launcher_whose_make_was_killed_leaves_too_and_the_job_stays(checkout):
    checkout.runs(f"{PATIENT}; {WRITE}")
    make = f"{shlex.join(LAUNCH)}; true"
    process = checkout.start("setsid", "bash", "-c", make)
    job = checkout.until_up()
    process.kill()
    assert process.stdout is not None
    assert "the command that waited here was killed" in process.stdout.read()
    assert checkout.slurm.state(job) == "RUNNING"


def test_a_launcher_whose_make_was_killed_before_it_began_submits_nothing(checkout):
    checkout.runs(WRITE)
    gone = subprocess.Popen(["true"])
    gone.wait()
    status, output = checkout.launch(CALLER=str(gone.pid))
    assert status == 1
    assert "the command that waited here was killed" in output
    assert not checkout.jobs()


def test_two_launchers_at_once_submit_one_job(checkout):
    checkout.runs(WRITE)
    both = [checkout.start() for _ in range(2)]
    for status, output in map(checkout.end, both):
        assert status == 0, output
    assert len(checkout.jobs()) == 1


def test_without_waiting_the_job_goes_on_alone(checkout):
    checkout.runs(WRITE)
    status, output = checkout.launch(WAIT="0")
    assert status == 75
    assert "detached" in output
    wait_for("the job", (checkout.run / "DONE").exists)
    assert checkout.launch(WAIT="0")[0] == 0
    assert len(checkout.jobs()) == 1


def test_a_second_job_of_the_same_name_waits_for_the_first(checkout):
    """A launcher that has lost its lock, or a hand, may still submit."""
    checkout.runs(f"{PATIENT}; {WRITE}")
    process = checkout.start()
    checkout.until_up()
    command = msgspec.json.decode((checkout.run / "job.json").read_bytes())["command"]
    second = checkout.slurm.ask(*command).strip()
    time.sleep(2)
    assert checkout.slurm.state(second) == "PENDING"
    (checkout.run / "go").touch()
    assert checkout.end(process)[0] == 0
    wait_for("the second job", lambda: checkout.slurm.state(second) == "COMPLETED")
    assert checkout.history() == ["start", "finish"]


def test_near_the_time_limit_the_ranks_save_and_the_job_is_requeued(checkout):
    checkout.runs(f"{SAVED} && {WRITE} && exit; {PATIENT}", nodes=2, gpus=2)
    process = checkout.start()
    job = checkout.until_up()
    checkout.slurm.ask("scancel", "--batch", "--signal=USR1", job)
    status, output = checkout.end(process)
    assert status == 0, output
    assert "goes on after restart 1: there is a newer checkpoint" in output
    assert checkout.history() == ["start", "requeued", "start", "finish"]
    assert checkout.jobs() == [job]


def test_a_job_requeued_by_an_operator_is_followed(checkout):
    checkout.runs(f"[ -e up ] && {WRITE} && exit; {PATIENT}")
    process = checkout.start()
    checkout.slurm.ask("scontrol", "requeue", checkout.until_up())
    status, output = checkout.end(process)
    assert status == 0, output
    assert checkout.history() == ["start", "start", "finish"]


def test_a_job_that_crashes_without_progress_is_not_requeued(checkout):
    checkout.runs("exit 3")
    assert checkout.launch()[0] == 3
    assert checkout.history() == ["start", "failed"]


def test_a_job_that_crashes_for_ever_is_requeued_so_many_times(checkout):
    checkout.runs(f"{CHECKPOINT}; exit 3")
    status, output = checkout.launch(MAX_RESTARTS="1")
    assert status == 3
    assert "FAILED after 1 restarts" in output
    assert checkout.history() == ["start", "requeued", "start", "failed"]


@pytest.mark.slow
def test_a_job_outlives_one_of_its_nodes(checkout, slurm):
    checkout.runs(f"[ -e up ] && {WRITE} && exit; {PATIENT}", nodes=2, gpus=2)
    process = checkout.start()
    checkout.until_up()
    slurm.crash("node2")
    try:
        status, output = checkout.end(process)
    finally:
        slurm.boot("node2")
    assert status == 0, output
    assert checkout.history() == ["start", "start", "finish"]
    slurm.wait_for_nodes()


def test_a_node_with_a_broken_gpu_is_left_out_of_the_next_start(checkout):
    checkout.runs(WRITE, nodes=2, gpus=2)
    broken = 'echo "0, 1, 0"; [ "$(hostname)" = node1 ] && echo "1, 1, 5" || echo "1, 1, 0"'
    smi = checkout.folder / "bin/nvidia-smi"
    smi.parent.mkdir()
    smi.write_text(f"#!/bin/bash\n{broken}\n")
    smi.chmod(0o755)
    path = f"{smi.parent}{os.pathsep}{checkout.environment['PATH']}"
    status, output = checkout.launch(PATH=path)
    assert status == 0, output
    assert "node1: GPU 1 has 5 memory errors" in output
    assert "COMPLETED (node[2-3])" in output
    made = manifest.of(checkout.run)
    assert (made.restarts, made.nodes) == (1, ("node1", "node2", "node3"))


def test_nodes_that_are_all_unfit_are_not_tried_for_ever(checkout):
    checkout.runs(WRITE, nodes=4)
    status, output = checkout.launch(MIN_FREE_GB="1000000000")
    assert status != 0
    assert "GB free in" in output
    assert checkout.history() == ["start", "failed"]
    assert checkout.launch()[0] == 0  # whoever submits anew has mended something
    assert not (checkout.run / "bad").exists()


@pytest.mark.parametrize(
    ("stale", "said"),
    [("stages/train.py", "other code here"), ("requirements.lock", "another requirements.lock")],
)
def test_a_node_that_sees_other_code_or_another_lock_does_not_take_part(checkout, stale, said):
    checkout.runs(f"{PATIENT}; {WRITE}")
    assert checkout.launch(WAIT="0")[0] == 75
    checkout.slurm.ask("scancel", checkout.until_up())
    with open(checkout.run / stale, "a") as file:
        file.write("\n")
    status, output = checkout.launch(MAX_RESTARTS="0")
    assert status != 0
    assert said in output


@pytest.mark.parametrize(
    ("size", "environment", "said"),
    [
        ({"gpus": 9}, {}, "sbatch: .*Requested node configuration is not available"),
        ({"nodes": 5}, {}, "sbatch: .*(Node count|node configuration)"),
        ({}, {"SBATCH_PARTITION": "h100"}, "sbatch: invalid partition specified: h100"),
        ({}, {"SBATCH_PARTITION": "a100; rm -rf x"}, "SBATCH_PARTITION='a100; rm -rf x': expected"),
        ({}, {"SBATCH_ACCOUNT": "$(id)"}, r"SBATCH_ACCOUNT='\$\(id\)': expected letters"),
        ({}, {"CLUSTER": ""}, "missing here: CLUSTER=slurm"),
        ({}, {"PATH": str(Path(sys.executable).parent)}, "no sbatch on PATH"),
    ],
    ids=["gpus", "nodes", "partition", "shell", "account", "laptop", "no slurm"],
)
def test_what_slurm_would_refuse_is_one_clear_line(checkout, size, environment, said):
    checkout.runs(WRITE, **size)
    status, output = checkout.launch(**environment)
    assert status == 1
    (line,) = output.splitlines()
    assert re.match(f"error: .*{said}", line), line
    assert not checkout.jobs()


@pytest.mark.parametrize("size", ["7b; touch hacked", "$(touch hacked)", "", "../x"])
def test_a_size_with_shell_words_in_it_is_refused(checkout, size):
    script = [str(ROOT / "slurm/train"), size]
    status, output = checkout.end(checkout.start(*script))
    assert status == 2
    assert output.startswith("error: SIZE=")
    assert not (checkout.folder / "hacked").exists()


# An sbatch that meets its launcher's death: before the job is submitted, or just after it.
DEADLY = {
    "before": 'kill -9 $PPID; sleep 2; exec {sbatch} "$@"',
    "after": '{sbatch} "$@"; kill -9 $PPID',
}


@pytest.mark.parametrize("when", DEADLY)
def test_a_launcher_killed_while_it_submits_is_followed_by_one_that_finds_its_job(checkout, when):
    checkout.runs(f"{PATIENT}; {WRITE}")
    sbatch = checkout.folder / "bin/sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(f"#!/bin/bash\n{DEADLY[when].format(sbatch=shutil.which('sbatch'))}\n")
    sbatch.chmod(0o755)
    path = f"{sbatch.parent}{os.pathsep}{checkout.environment['PATH']}"
    assert checkout.launch(PATH=path)[0] == -signal.SIGKILL
    assert not (checkout.run / "job.json").exists()
    status, output = checkout.launch(WAIT="0")
    assert status == 75
    assert "attached" in output
    assert len(checkout.jobs()) == 1


FIRST_OF = "import sys; from slurm import launch; print(launch.first_of(*sys.argv[1:]))"


def test_without_locks_the_job_that_came_first_stays(checkout):
    """Two launchers whose file system knows no locks, both with a job: as Slurm numbers them."""
    checkout.runs(f"{PATIENT}; {WRITE}")
    assert checkout.launch(WAIT="0")[0] == 75
    command = msgspec.json.decode((checkout.run / "job.json").read_bytes())["command"]
    second = checkout.slurm.ask(*command).strip()
    there = [sys.executable, "-c", FIRST_OF, command[2].removeprefix("--job-name="), second]
    status, output = checkout.end(checkout.start(*there))
    assert status == 0, output
    assert checkout.slurm.state(second) == "CANCELLED"
    first = output.splitlines()[-1]
    assert {first, second} == set(checkout.jobs())
    assert int(first) < int(second)


@pytest.mark.slow
def test_a_job_over_its_time_limit_is_named(deaf):
    checkout, process = deaf
    status, output = checkout.end(process)
    assert status != 0
    assert "TIMEOUT" in output
