"""What can happen to a job and its nodes on a real Slurm."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from slurm.launch import manifest
from tests.support.checkout import (
    HAS_CHECKPOINT,
    LAUNCH_COMMAND,
    WAIT_FOR_GO,
    WRITE_CHECKPOINT,
    WRITE_RESULT,
    Checkout,
)
from tests.support.slurm_cluster import wait_for


@pytest.fixture(scope="module", autouse=True)
def job_over_time_limit(
    slurm, tmp_path_factory
) -> Iterator[tuple[Checkout, subprocess.Popen[str]]]:
    """A job that ignores USR1 and meets its time limit of two minutes while other tests run."""
    checkout = Checkout(tmp_path_factory.mktemp("time_limit"), slurm)
    checkout.set_rank_script("trap '' USR1; sleep 300")  # it saves nothing
    yield checkout, checkout.start(SBATCH_TIMELIMIT="2")
    checkout.stop()


def test_a_failed_job_is_named_with_its_status_and_the_end_of_its_log(checkout):
    checkout.set_rank_script("echo no such tensor >&2; exit 7")
    status, output = checkout.launch()
    assert status == 7
    assert "FAILED, exit status 7, on node" in output
    assert "  no such tensor" in output.split("The end of")[1]


def test_a_cancelled_job_is_named(checkout):
    checkout.set_rank_script(WAIT_FOR_GO)
    process = checkout.start()
    checkout.slurm.ask("scancel", checkout.wait_until_running())
    status, output = checkout.end(process)
    assert status != 0
    assert "CANCELLED" in output
    assert len(checkout.jobs()) == 1


def test_near_the_time_limit_the_ranks_save_and_the_job_is_requeued(checkout):
    checkout.set_rank_script(
        f"{HAS_CHECKPOINT} && {WRITE_RESULT} && exit; {WAIT_FOR_GO}", nodes=2, gpus=2
    )
    process = checkout.start()
    job = checkout.wait_until_running()
    checkout.slurm.ask("scancel", "--batch", "--signal=USR1", job)
    status, output = checkout.end(process)
    assert status == 0, output
    assert "resumes with restart 1: there is a newer checkpoint" in output
    assert checkout.history() == ["start", "requeued", "start", "finish"]
    assert checkout.jobs() == [job]


def test_near_the_time_limit_an_answering_job_dies_and_goes_on_from_its_answers(checkout):
    answers = "mkdir -p scratch/predict && echo one >> scratch/predict/x.jsonl"
    checkout.set_rank_script(
        f"[ -e up ] && {WRITE_RESULT} && exit; {answers}; touch up; exec sleep 300"
    )
    process = checkout.start(*LAUNCH_COMMAND[:4], "predict", *LAUNCH_COMMAND[5:])
    wait_for("answers", lambda: bool(list(checkout.folder.glob("*/up"))), 120)
    checkout.slurm.ask("scancel", "--batch", "--signal=USR1", checkout.jobs()[0])
    status, output = checkout.end(process)
    assert status == 0, output
    assert "resumes with restart 1" in output


def test_a_job_requeued_by_an_operator_is_followed(checkout):
    checkout.set_rank_script(f"[ -e up ] && {WRITE_RESULT} && exit; {WAIT_FOR_GO}")
    process = checkout.start()
    checkout.slurm.ask("scontrol", "requeue", checkout.wait_until_running())
    status, output = checkout.end(process)
    assert status == 0, output
    assert checkout.history() == ["start", "start", "finish"]


def test_a_job_that_crashes_without_progress_is_not_requeued(checkout):
    checkout.set_rank_script("exit 3")
    assert checkout.launch()[0] == 3
    assert checkout.history() == ["start", "failed"]


def test_a_job_that_crashes_for_ever_is_requeued_so_many_times(checkout):
    checkout.set_rank_script(f"{WRITE_CHECKPOINT}; exit 3")
    status, output = checkout.launch(MAX_RESTARTS="1")
    assert status == 3
    assert "FAILED after 1 restarts" in output
    assert checkout.history() == ["start", "requeued", "start", "failed"]


@pytest.mark.slow
def test_a_job_outlives_one_of_its_nodes(checkout, slurm):
    """srun reports success if all that is left of the job has ended well."""
    node1_ends_well = f'[ "$(hostname)" = node1 ] && {WRITE_RESULT} && exit'
    checkout.set_rank_script(
        f"{node1_ends_well}; [ -e up ] && exit; {WAIT_FOR_GO}", nodes=2, gpus=2
    )
    process = checkout.start()
    checkout.wait_until_running()
    slurm.crash("node2")
    try:
        status, output = checkout.end(process)
    finally:
        slurm.boot("node2")
    assert status == 0, output
    assert checkout.history() == ["start", "start", "finish"]
    slurm.wait_for_nodes()


def test_a_node_with_a_broken_gpu_is_left_out_of_the_next_start(checkout):
    checkout.set_rank_script(WRITE_RESULT, nodes=2, gpus=2)
    broken = checkout.folder / "broken"  # the first node that looks, whichever is free
    report = f"""echo "0, 1, 0"
    mkdir {broken} 2>/dev/null && hostname > {broken}/name
    [ "$(hostname)" = "$(cat {broken}/name)" ] && echo "1, 1, 5" || echo "1, 1, 0\""""
    smi = checkout.folder / "bin/nvidia-smi"
    smi.parent.mkdir()
    smi.write_text(f"#!/bin/bash\n{report}\n")
    smi.chmod(0o755)
    path = f"{smi.parent}{os.pathsep}{checkout.environment['PATH']}"
    status, output = checkout.launch(PATH=path)
    assert status == 0, output
    node = (broken / "name").read_text().strip()
    assert f"{node}: GPU 1 has 5 memory errors" in output
    run_manifest = manifest.build_manifest(checkout.run)
    assert run_manifest.restarts == 1
    first, second = run_manifest.attempts
    assert node in first.nodes
    assert node not in second.nodes


def test_nodes_that_are_all_unfit_are_not_tried_for_ever(checkout):
    checkout.set_rank_script(WRITE_RESULT, nodes=4)
    status, output = checkout.launch(MIN_FREE_GB="1000000000")
    assert status != 0
    assert "GB of disk are free in" in output
    assert checkout.history() == ["start", "failed"]
    assert checkout.launch()[0] == 0  # a user who submits again may have repaired the nodes
    assert not (checkout.run / "bad").exists()


@pytest.mark.parametrize(
    ("stale_path", "problem"),
    [
        ("stages/train.py", "the code differs from commit"),
        ("requirements.lock", "requirements.lock differs"),
    ],
)
def test_a_node_that_sees_other_code_or_another_lock_does_not_take_part(
    checkout, stale_path, problem
):
    checkout.set_rank_script(f"{WAIT_FOR_GO}; {WRITE_RESULT}")
    assert checkout.launch(WAIT="0")[0] == 75
    checkout.slurm.ask("scancel", checkout.wait_until_running())
    wait_for("the end of the job", lambda: not checkout.live(), 120)  # a live one is attached to
    with open(checkout.run / stale_path, "a") as file:
        file.write("\n")
    status, output = checkout.launch(MAX_RESTARTS="0")
    assert status != 0
    assert problem in output


@pytest.mark.slow
def test_a_job_over_its_time_limit_is_named(job_over_time_limit):
    checkout, process = job_over_time_limit
    status, output = checkout.end(process)
    assert status != 0
    assert "TIMEOUT" in output
