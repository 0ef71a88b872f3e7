"""What a site says in slurm/cluster.env reaches its nodes, also those of a run that was there."""

import fcntl
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
import yaml

from agent_tuning.records import BadInput
from slurm.launch import launcher, requirements, slurm_commands
from slurm.launch.run_folder import Job, Run
from slurm.shards import shard_launcher
from slurm.sizing import estimate, sizes
from tests.support.checkout import (
    HAS_CHECKPOINT,
    LAUNCH_COMMAND,
    ROOT,
    WAIT_FOR_GO,
    WRITE_RESULT,
    Checkout,
)
from tests.support.slurm_cluster import wait_for


def write_settings(checkout: Checkout, text: str) -> None:
    """Give the checkout a slurm/ of its own, with this cluster.env."""
    folder = checkout.folder / "slurm"
    if folder.is_symlink():
        folder.unlink()
        ignored = shutil.ignore_patterns("cluster.env", "__pycache__")
        shutil.copytree(ROOT / "slurm", folder, ignore=ignored)
    (folder / "cluster.env").write_text(text)


def test_an_edit_of_the_settings_reaches_a_run_that_was_there(checkout):
    checkout.set_rank_script("echo $NETWORK > out.txt; [ $NETWORK = eth0 ] || exit 9")
    write_settings(checkout, "NETWORK=ib0\n")
    assert checkout.launch()[0] == 9
    write_settings(checkout, "NETWORK=eth0\n")
    status, output = checkout.launch()
    assert status == 0, output
    assert len(list(checkout.folder.glob("tiny-train-*"))) == 1


def test_a_repaired_script_reaches_a_run_that_was_there(checkout):
    checkout.set_rank_script(WRITE_RESULT)
    write_settings(checkout, "")
    script = checkout.folder / "slurm/node/run"
    sound = script.read_text()
    script.write_text(sound.replace("set -euo pipefail", "set -euo pipefail; exit 4"))
    assert checkout.launch()[0] == 4
    script.write_text(sound)
    status, output = checkout.launch()
    assert status == 0, output


def test_where_a_site_passes_nothing_on_the_ranks_have_the_settings(checkout):
    right = '[ "$NCCL_SOCKET_IFNAME $ATTEMPT" = "ib0 $SLURM_JOB_ID.0" ]'
    checkout.set_rank_script(f"{right} && {WRITE_RESULT}")
    lines = [f'LAUNCH_PREFIX="bash {checkout.folder}/rank.sh"', "DS_ACCELERATOR=cpu"]
    lines += ["NCCL_SOCKET_IFNAME=ib0", 'PATHS="$HOME:$NO_SUCH_VARIABLE"']
    write_settings(checkout, "\n".join(lines) + "\n")
    status, output = checkout.launch(SBATCH_EXPORT="NONE")
    assert status == 0, output


def test_the_nodes_use_the_interpreter_and_the_srun_options_of_the_settings(checkout):
    """As where an image has its own Python, and an option of srun names the image."""
    python, calls = checkout.folder / "bin/python", checkout.folder / "calls"
    python.parent.mkdir()
    python.write_text(f'#!/bin/bash\necho "$@" >> {calls}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    checkout.set_rank_script(f"[ $IMAGE = train ] && {WRITE_RESULT}")
    settings = {"LAUNCH_PYTHON": str(python), "SRUN_ARGS": "--export=ALL,IMAGE=train"}
    status, output = checkout.launch(**settings)
    assert status == 0, output
    assert "slurm.node.consistency" in calls.read_text()


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"GPU_TYPE": "a100"}, r"TresPerNode=gres[/:]gpu:a100:1\b"),
        ({"MEM": "3000M"}, r"MinMemoryNode=3000M"),
        ({"SBATCH_MEM_PER_CPU": "70M"}, r"MinMemoryCPU=70M"),
        ({}, r"MemPerTres=gres[/:]gpu:102400"),
    ],
    ids=["type", "memory of a node", "memory of a cpu", "by default"],
)
def test_gpus_of_a_kind_and_memory_can_be_asked_for(checkout, settings, wanted):
    checkout.set_rank_script(f"{WAIT_FOR_GO}; {WRITE_RESULT}")
    process = checkout.start(**settings)
    job = checkout.wait_until_running()
    assert re.search(wanted, shown := checkout.slurm.ask("scontrol", "-o", "show", "job", job)), (
        shown
    )
    (checkout.run / "go").touch()
    assert checkout.end(process)[0] == 0


def test_a_time_limit_that_leaves_no_time_to_work_is_one_clear_line(checkout):
    checkout.set_rank_script(WRITE_RESULT)
    status, output = checkout.launch(SBATCH_TIMELIMIT="0:60")
    assert status == 1
    (line,) = output.splitlines()
    assert line.startswith("error: SBATCH_TIMELIMIT=0:60: tiny is told to save 60 s before its")
    assert not checkout.jobs()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 5400),
        ("2:30", 150),
        ("24:00:00", 86_400),
        ("2-0", 172_800),
        ("1-12:30", 131_400),
        ("1-00:00:05", 86_405),
        ("UNLIMITED", None),
        ("0", None),
        ("0-00:00:00", None),
    ],
)
def test_time_limits_are_read_as_sbatch_reads_them(text, seconds):
    assert slurm_commands.parse_time_limit(text) == seconds


class Clock:
    """A minute passes at every look at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 60
        return self.now

    def sleep(self, _: float) -> None:
        pass


def test_a_controller_that_is_away_does_not_end_a_launcher(tmp_path, monkeypatch):
    """It answers after 20 minutes; a submission waits for one."""
    tries = tmp_path / "tries"
    away = "echo 'slurm_load_jobs error: Socket timed out' >&2; exit 1"
    line = "JobState=COMPLETED Reason=None Restarts=0 ExitCode=0:0 NodeList=node1"
    answer = f"echo >> {tries}\n[ $(wc -l < {tries}) -gt 20 ] || {{ {away}; }}\necho {line}\n"
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f"#!/bin/bash\n{answer}")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(slurm_commands, "time", Clock())
    assert slurm_commands.query_state("7").name == "COMPLETED"
    tries.unlink()
    with pytest.raises(BadInput, match="Socket timed out"):
        slurm_commands.run_with_retries("scontrol", "show")
    tries.unlink()
    scontrol.rename(tmp_path / "squeue")
    answer_none = (tmp_path / "squeue").read_text().replace(f"echo {line}", "true")
    (tmp_path / "squeue").write_text(answer_none)
    shard_launcher.wait_for_shards(Run("run", tmp_path, TRAINING))


@pytest.mark.slow
def test_a_node_that_ends_long_before_the_one_that_writes_does_not_end_it(checkout):
    last = f'[ "$(hostname)" = node1 ] && sleep 75 && {WRITE_RESULT} && exit; exit 0'
    checkout.set_rank_script(last, nodes=2, gpus=2)
    status, output = checkout.launch()
    assert status == 0, output


@pytest.mark.parametrize(
    ("python", "problem"),
    [
        (None, "VLLM_PYTHON in slurm/cluster.env"),
        ("/no/such/python", "VLLM_PYTHON=/no/such/python: No such file"),
        (sys.executable, "ModuleNotFoundError: No module named 'vllm'"),
        ("false", "VLLM_PYTHON=false: exit status 1"),
    ],
    ids=["not said", "not there", "without vLLM", "silent"],
)
def test_a_missing_vllm_is_said_before_the_training(monkeypatch, python, problem):
    if python:
        monkeypatch.setenv("VLLM_PYTHON", python)
    else:
        monkeypatch.delenv("VLLM_PYTHON", raising=False)
    assert any(
        problem in part for part in requirements.missing_size_parts("72b", sizes.load("72b"))
    )
    assert not any("VLLM" in x for x in requirements.missing_size_parts("7b", sizes.load("7b")))


def test_only_what_answers_by_vllm_runs_with_its_python(monkeypatch):
    monkeypatch.setenv("VLLM_PYTHON", "/vllm/python")
    monkeypatch.setenv("LAUNCH_PYTHON", "/image/python")
    large, small = sizes.load("72b"), sizes.load("7b")
    assert sizes.find_python(large, "predict") == "/vllm/python"
    assert sizes.find_python(large, "train") == "/image/python"
    assert sizes.find_python(small, "predict") == "/image/python"


def start_local(checkout: Checkout, **environment: str) -> tuple[int, str]:
    return checkout.launch(CLUSTER="local", **environment)


def test_without_slurm_one_machine_runs_a_stage_and_the_same_command_collects_it(checkout):
    checkout.set_rank_script(f"[ -e up ] && {WRITE_RESULT} && exit; touch up; exit 3")
    status, output = start_local(checkout)
    assert status == 3, output
    status, output = start_local(checkout)
    assert status == 0, output
    assert (checkout.folder / "out.txt").read_text() == "result\n"
    assert checkout.history() == ["start", "failed", "start", "finish"]
    status, output = start_local(checkout)
    assert status == 0
    assert "starts here" not in output
    assert not checkout.jobs()


def test_without_slurm_ctrl_c_saves_and_the_same_command_resumes(checkout):
    checkout.set_rank_script(f"{HAS_CHECKPOINT} && {WRITE_RESULT} && exit; {WAIT_FOR_GO}")
    process = checkout.start(CLUSTER="local")
    wait_for("a rank", lambda: bool(list(checkout.folder.glob("tiny-train-*/up"))), 120)
    assert "another command runs it on this machine" in start_local(checkout)[1]
    process.send_signal(signal.SIGINT)
    status, output = checkout.end(process)
    assert status == 75, output
    assert list(checkout.run.glob("scratch/*/COMPLETE"))
    status, output = start_local(checkout)
    assert status == 0, output


def test_without_slurm_ranks_that_were_still_starting_hear_of_ctrl_c_too(checkout):
    """Until they handle USR1 it is ignored."""
    checkout.set_rank_script(f"touch starting; sleep 3; {WAIT_FOR_GO}")
    process = checkout.start(CLUSTER="local")
    wait_for("a rank", lambda: bool(list(checkout.folder.glob("tiny-train-*/starting"))), 120)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 75
    assert list(checkout.run.glob("scratch/*/COMPLETE"))


SAY_AND_SAVE = WAIT_FOR_GO.replace(
    "def save(*_):", 'def save(*_):\n    print("saving", flush=True)'
)


def test_without_slurm_a_terminal_that_is_lost_saves_as_ctrl_c_does(checkout):
    """As with ssh: writing to it fails from then on."""
    checkout.set_rank_script(SAY_AND_SAVE)
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        LAUNCH_COMMAND,
        cwd=checkout.folder,
        env=checkout.environment | {"CLUSTER": "local"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    wait_for("a rank", lambda: bool(list(checkout.folder.glob("tiny-train-*/up"))), 120)
    os.close(ours)
    process.wait(timeout=60)
    assert list(checkout.run.glob("scratch/*/COMPLETE"))
    assert checkout.history() == ["start", "failed"]
    assert "saving" in (checkout.run / "log/job.log").read_text()


def test_without_slurm_ranks_end_with_a_launcher_that_is_killed(checkout):
    checkout.set_rank_script(f"[ -e up ] && {WRITE_RESULT} && exit; {WAIT_FOR_GO}")
    process = checkout.start(CLUSTER="local")
    wait_for("a rank", lambda: bool(list(checkout.folder.glob("tiny-train-*/up"))), 120)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    held = [os.readlink(file) for file in Path(f"/proc/{children[0]}/fd").iterdir()]
    assert str(checkout.run / "running") in held  # so no other command starts until they end
    process.kill()
    log = checkout.run / "log/job.log"
    wait_for("the end of the ranks", lambda: "the launcher was killed" in log.read_text())
    time.sleep(2)  # the last process that holds the lock
    status, output = start_local(checkout)
    assert status == 0, output
    assert checkout.history() == ["start", "start", "finish"]


def test_without_slurm_a_machine_that_is_not_fit_says_so(checkout):
    checkout.set_rank_script(WRITE_RESULT)
    status, output = start_local(checkout, MIN_FREE_GB="1000000000")
    assert status == 1
    assert "GB of disk are free in" in output


def test_without_slurm_a_size_of_several_nodes_is_one_clear_line(checkout):
    checkout.set_rank_script(WRITE_RESULT, nodes=2)
    status, output = start_local(checkout)
    assert status == 1
    assert "CLUSTER=local is one machine, and tiny trains on 2 nodes" in output


TRAINING = Job("72b", "train", (Path("in"),), (Path("out"),))


def test_a_training_needs_the_disk_of_its_estimate_and_what_answers_does_not():
    size = sizes.load("72b")
    wanted = 3 * estimate.estimate_size("72b", size).checkpoint_gb + 145  # and the tuned model
    assert launcher.describe_needs(TRAINING, size)["MIN_FREE_GB"] == pytest.approx(wanted, abs=1)
    answering = Job("72b", "predict", TRAINING.inputs, TRAINING.outputs)
    assert "MIN_FREE_GB" not in launcher.describe_needs(answering, size)


def grow(checkout: Checkout) -> int:
    """Give `tiny` the shape of a model whose checkpoints fit on no disk; the GB that it needs."""
    params = yaml.safe_load((checkout.folder / "params.yaml").read_text())
    shapes = params["estimate"]["sizes"]
    shapes["tiny"] = shapes["72b"] | {"shape": shapes["72b"]["shape"] | {"layers": 800_000}}
    (checkout.folder / "params.yaml").write_text(yaml.safe_dump(params))
    shape = estimate.DecoderShape(**shapes["tiny"]["shape"])
    return round(shape.parameters * (3 * estimate.CHECKPOINT_BYTES + 2) / 1e9)


def test_a_node_without_room_for_the_checkpoints_of_the_estimate_is_left_out(checkout):
    checkout.set_rank_script(WRITE_RESULT)
    needed = grow(checkout)
    write_settings(checkout, "")
    status, output = start_local(checkout)
    assert status == 1, output
    assert f"expected MIN_FREE_GB = {needed}" in output
    write_settings(checkout, "MIN_FREE_GB=1\n")  # the user knows better
    status, output = start_local(checkout)
    assert status == 0, output


# Under the name of the stage, with torchrun as it is: what each rank is given.
SAY_THREADS = """import os
from pathlib import Path
Path("threads." + os.environ["RANK"]).write_text(os.environ["OMP_NUM_THREADS"])
Path("out.txt").touch()
"""


@pytest.mark.parametrize("cluster", ["local", "slurm"])
def test_under_torchrun_a_rank_has_the_threads_of_the_size(checkout, cluster):
    checkout.set_rank_script(
        f'cat > threads.py <<EOF\n{SAY_THREADS}EOF\nexec "${{@/stages.train/threads}}"',
        gpus=2,
        overrides={"train": {"threads": 3, "packs_per_step": 2}},
    )
    checkout.environment.pop("OMP_NUM_THREADS", None)
    write_settings(checkout, "")
    status, output = checkout.launch(CLUSTER=cluster)
    assert status == 0, output
    given = [(checkout.run / f"threads.{rank}").read_text() for rank in range(2)]
    assert given == ["3", "3"]


def test_a_node_whose_gpus_torch_cannot_use_is_left_out_and_asked_for_its_driver(checkout):
    """nvidia-smi answers, and the driver is older than torch's CUDA."""
    checkout.set_rank_script(WRITE_RESULT)
    smi = checkout.folder / "bin/nvidia-smi"
    smi.parent.mkdir()
    smi.write_text('#!/bin/bash\necho "0, 1, 0"\n')
    smi.chmod(0o755)
    path = f"{smi.parent}{os.pathsep}{checkout.environment['PATH']}"
    status, output = start_local(
        checkout, PATH=path, DS_ACCELERATOR="", CUDA_VISIBLE_DEVICES="", SLURM_GPUS_ON_NODE="1"
    )
    assert status == 1, output
    assert "can use 0 of 1 GPUs; is the driver as new as this CUDA?" in output
    assert checkout.history() == ["start", "failed"]


# As apptainer: options, an image, and a command for which the image's programs come first.
CONTAINER = """\
#!/bin/bash
[[ "$1 $2 $3" == "exec --nv --bind" && -d $4 && -d $5/bin ]] || exit 255
echo "${*:6:3}" >> "${0%/*}/calls"
PATH=$5/bin:$PATH exec "${@:6}"
"""


@pytest.mark.parametrize("cluster", ["local", "slurm"])
def test_with_the_line_for_apptainer_all_python_of_a_node_runs_in_the_image(checkout, cluster):
    tools, image = checkout.folder / "tools", checkout.folder / "train.sif"
    inside = image / "bin/python3"
    inside.parent.mkdir(parents=True)
    tools.mkdir()
    (tools / "apptainer").write_text(CONTAINER)
    ranks = f'[[ $2 == torch.distributed.run ]] && exec bash -c "{WRITE_RESULT}"'
    inside.write_text(f'#!/bin/bash\n{ranks}\nexec {sys.executable} "$@"\n')
    for program in (tools / "apptainer", inside):
        program.chmod(0o755)
    checkout.set_rank_script("exit 9", gpus=2)  # the image's Python runs in its place
    page = (ROOT / "docs/cluster.md").read_text()
    (prefix,) = re.findall(r'`LAUNCH_PREFIX="(apptainer[^"]*)"`, `LAUNCH_PYTHON=python3`', page)
    prefix = prefix.replace("/images/train.sif", str(image))
    status, output = checkout.launch(
        CLUSTER=cluster,
        LAUNCH_PREFIX=prefix.replace("/scratch", str(checkout.folder)),
        LAUNCH_PYTHON="python3",
        PATH=f"{tools}{os.pathsep}{checkout.environment['PATH']}",
    )
    assert status == 0, output
    called = (tools / "calls").read_text().splitlines()
    assert {"python3 -m slurm.node.consistency", "python3 -m torch.distributed.run"} <= {*called}
