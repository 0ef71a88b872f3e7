"""A command that is killed says in one line what killed it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent_tuning.runtime import death_watch

COMMAND = """
import sys, time
from agent_tuning.runtime import cli

def main() -> None:
    print("ready", flush=True)
    time.sleep(float(sys.stdin.readline()))

sys.argv = ["stages/train.py"]
cli.run(main)
"""


def start() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_command_says_so_in_one_line_with_its_peak_memory(number):
    process = start()
    time.sleep(1.5 * death_watch.INTERVAL)  # a look at its memory
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -number
    (line,) = errors.splitlines()
    assert line.startswith("train: killed by a signal, not for memory; peak RSS 0.")
    assert line.endswith("run the same command to resume")


def test_a_command_that_ends_by_itself_says_nothing():
    process = start()
    _, errors = process.communicate("0\n", timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_a_command_that_the_kernel_killed_for_memory_says_what_to_set(monkeypatch):
    counts = iter([3, 4])  # of the kernel's kills: before and after
    monkeypatch.setattr(death_watch, "count_memory_kills", lambda: next(counts))
    process = subprocess.Popen(["sleep", "60"])
    reading, writing = os.pipe()
    monkeypatch.setattr(death_watch, "INTERVAL", 0.01)
    process.kill()
    line = death_watch.watch(process.pid, reading, "train")
    process.wait()
    os.close(writing)
    os.close(reading)
    assert line is not None
    assert line.startswith("train: killed for memory; peak RSS ")
    assert "set train.activation_checkpointing_every: 1 in params.yaml" in line


def test_the_hints_name_keys_of_the_parameters():
    text = Path("params.yaml").read_text()
    for stage in death_watch.HINTS:
        assert f"\n{stage}:\n" in text
        key = "activation_checkpointing_every" if stage == "train" else "batch_size"
        section = text.split(f"\n{stage}:\n")[1].split("\n# ====")[0]
        assert f"\n  {key}: " in section
        assert f"{stage}.{key}" in death_watch.HINTS[stage]
