"""The launcher on a real Slurm, and what can happen to it; test_cluster_run.py really trains."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from slurm.launch import manifest
from slurm.launch.manifest import Manifest
from tests.support.checkout import LAUNCH_COMMAND, ROOT, WAIT_FOR_GO, WRITE_RESULT
from tests.support.slurm_cluster import wait_for


def test_a_job_that_ends_well_leaves_its_result_where_the_pipeline_expects_it(checkout):
    checkout.set_rank_script(WRITE_RESULT, nodes=2, gpus=2)
    began = time.monotonic()
    status, output = checkout.launch()
    print(f"launcher, job and collection: {time.monotonic() - began:.1f} s")
    assert status == 0, output
    assert (checkout.folder / "out.txt").read_text() == "result\n"
    assert "COMPLETED (node[1-2])" in output
    assert checkout.history() == ["start", "finish"]
    written = msgspec.json.decode((checkout.run / "manifest.json").read_bytes(), type=Manifest)
    assert written == manifest.build_manifest(checkout.run)
    assert (written.jobs, written.nodes) == (tuple(checkout.jobs()), ("node1", "node2"))
    assert written.attempts[0].gpus == 4


def test_the_same_command_collects_a_finished_job_and_submits_none(checkout):
    checkout.set_rank_script(WRITE_RESULT)
    checkout.launch()
    (checkout.folder / "out.txt").unlink()
    status, output = checkout.launch()
    assert status == 0, output
    assert (checkout.folder / "out.txt").exists()
    assert len(checkout.jobs()) == 1


def test_other_input_is_another_job(checkout):
    checkout.set_rank_script(WRITE_RESULT)
    checkout.launch()
    (checkout.folder / "in.txt").write_text("changed")
    assert checkout.launch()[0] == 0
    assert len(checkout.jobs()) == 2


def test_an_edit_while_the_job_waits_changes_nothing_in_it(checkout):
    checkout.set_rank_script(WAIT_FOR_GO + "; cp in.txt out.txt")
    process = checkout.start()
    checkout.wait_until_running()
    (checkout.folder / "in.txt").write_text("edited")
    (checkout.run / "go").touch()
    assert checkout.end(process)[0] == 0
    assert (checkout.folder / "out.txt").read_text() == checkout.folder.name


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_launcher_that_dies_leaves_the_job_and_the_next_one_attaches(checkout, how):
    checkout.set_rank_script(f"{WAIT_FOR_GO}; {WRITE_RESULT}")
    first = checkout.start()
    checkout.wait_until_running()
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
    checkout.set_rank_script(f"{WAIT_FOR_GO}; {WRITE_RESULT}")
    make_like = f"{shlex.join(LAUNCH_COMMAND)}; true"
    process = checkout.start("setsid", "bash", "-c", make_like)
    job = checkout.wait_until_running()
    process.kill()
    assert process.stdout is not None
    assert "the launching command was killed" in process.stdout.read()
    assert checkout.slurm.state(job) == "RUNNING"


def test_a_launcher_whose_make_was_killed_before_it_began_submits_nothing(checkout):
    checkout.set_rank_script(WRITE_RESULT)
    ended = subprocess.Popen(["true"])
    ended.wait()
    status, output = checkout.launch(CALLER=str(ended.pid))
    assert status == 1
    assert "the launching command was killed" in output
    assert not checkout.jobs()


def test_two_launchers_at_once_submit_one_job(checkout):
    checkout.set_rank_script(WRITE_RESULT)
    launchers = [checkout.start() for _ in range(2)]
    for status, output in map(checkout.end, launchers):
        assert status == 0, output
    assert len(checkout.jobs()) == 1


def test_without_waiting_the_job_goes_on_alone(checkout):
    checkout.set_rank_script(WRITE_RESULT)
    status, output = checkout.launch(WAIT="0")
    assert status == 75
    assert "detached" in output
    assert (checkout.folder / "scratch/detached-tiny").exists()  # for slurm/launch/train
    wait_for("the job", (checkout.run / "DONE").exists)
    assert checkout.launch(WAIT="0")[0] == 0
    assert len(checkout.jobs()) == 1


def test_a_second_job_of_the_same_name_waits_for_the_first(checkout):
    """A launcher that has lost its lock, or a user, may still submit."""
    checkout.set_rank_script(f"{WAIT_FOR_GO}; {WRITE_RESULT}")
    process = checkout.start()
    checkout.wait_until_running()
    command = msgspec.json.decode((checkout.run / "job.json").read_bytes())["command"]
    second = checkout.slurm.ask(*command).strip()
    time.sleep(2)
    assert checkout.slurm.state(second) == "PENDING"
    (checkout.run / "go").touch()
    assert checkout.end(process)[0] == 0
    wait_for("the second job", lambda: checkout.slurm.state(second) == "COMPLETED")
    assert checkout.history() == ["start", "finish"]


@pytest.mark.parametrize(
    ("size", "environment", "message"),
    [
        ({"gpus": 9}, {}, "sbatch: .*Requested node configuration is not available"),
        ({"nodes": 5}, {}, "sbatch: .*(Node count|node configuration)"),
        ({}, {"SBATCH_PARTITION": "h100"}, "sbatch: invalid partition specified: h100"),
        ({}, {"SBATCH_PARTITION": "a100; rm -rf x"}, "SBATCH_PARTITION='a100; rm -rf x': expected"),
        ({}, {"SBATCH_ACCOUNT": "$(id)"}, r"SBATCH_ACCOUNT='\$\(id\)': expected letters"),
        ({}, {"RUNS_ROOT": "/proc/runs"}, "/proc/runs: No such file or directory"),
        ({}, {"CLUSTER": ""}, "missing here: CLUSTER=slurm"),
        ({}, {"PATH": str(Path(sys.executable).parent)}, "no sbatch on PATH"),
    ],
    ids=["gpus", "nodes", "partition", "shell", "account", "runs", "laptop", "no slurm"],
)
def test_what_slurm_would_refuse_is_one_clear_line(checkout, size, environment, message):
    checkout.set_rank_script(WRITE_RESULT, **size)
    status, output = checkout.launch(**environment)
    assert status == 1
    (line,) = output.splitlines()
    assert re.match(f"error: .*{message}", line), line
    assert not checkout.live()


@pytest.mark.parametrize("size", ["7b; touch hacked", "$(touch hacked)", "", "../x", "-x"])
def test_a_size_with_shell_words_in_it_is_refused(checkout, size):
    script = [str(ROOT / "slurm/launch/train"), size]
    status, output = checkout.end(checkout.start(*script))
    assert status == 2
    assert output.startswith("error: SIZE=")
    assert not (checkout.folder / "hacked").exists()


@pytest.mark.parametrize("size", ["my-size", "my_size", "7B"])
def test_a_size_may_have_any_plain_name_and_those_there_are_are_named(checkout, size):
    status, output = checkout.end(checkout.start(str(ROOT / "slurm/launch/train"), size))
    assert status == 1
    assert output.startswith(f"error: SIZE='{size}': expected one of 14b, 350m, ")


# An sbatch that kills its launcher: before the job is submitted, or just after it.
DEADLY_SBATCH = {
    "before": 'kill -9 $PPID; sleep 2; exec {sbatch} "$@"',
    "after": '{sbatch} "$@"; kill -9 $PPID',
}


@pytest.mark.parametrize("when", DEADLY_SBATCH)
def test_a_launcher_killed_while_it_submits_is_followed_by_one_that_finds_its_job(checkout, when):
    checkout.set_rank_script(f"{WAIT_FOR_GO}; {WRITE_RESULT}")
    sbatch = checkout.folder / "bin/sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(f"#!/bin/bash\n{DEADLY_SBATCH[when].format(sbatch=shutil.which('sbatch'))}\n")
    sbatch.chmod(0o755)
    path = f"{sbatch.parent}{os.pathsep}{checkout.environment['PATH']}"
    assert checkout.launch(PATH=path)[0] == -signal.SIGKILL
    assert not (checkout.run / "job.json").exists()
    status, output = checkout.launch(WAIT="0")
    assert status == 75
    assert "attached" in output
    assert len(checkout.jobs()) == 1


KEEP_FIRST_JOB = (
    "import sys; from slurm.launch import launcher; print(launcher.keep_first_job(*sys.argv[1:]))"
)


def test_without_locks_the_job_that_came_first_stays(checkout):
    """Two launchers on a file system without locks have each a job: Slurm's ids decide."""
    checkout.set_rank_script(f"{WAIT_FOR_GO}; {WRITE_RESULT}")
    assert checkout.launch(WAIT="0")[0] == 75
    command = msgspec.json.decode((checkout.run / "job.json").read_bytes())["command"]
    second = checkout.slurm.ask(*command).strip()
    keep_first = [
        sys.executable,
        "-c",
        KEEP_FIRST_JOB,
        command[2].removeprefix("--job-name="),
        second,
    ]
    status, output = checkout.end(checkout.start(*keep_first))
    assert status == 0, output
    assert checkout.slurm.state(second) == "CANCELLED"
    first = output.splitlines()[-1]
    assert {first, second} == set(checkout.jobs())
    assert int(first) < int(second)
