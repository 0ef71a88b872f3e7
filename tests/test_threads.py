"""`make threads` writes the number of CPU threads of every stage, as THREADS=8 of `make repro`."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

STAGES = ("self_replies", "train", "predict", "episodes", "retention")


def make(folder: Path, threads: str) -> subprocess.CompletedProcess[str]:
    for name in ("Makefile", "params.yaml"):
        shutil.copy(name, folder)
    command = ["make", "threads", f"THREADS={threads}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_every_stage_gets_the_threads_and_nothing_else_changes(tmp_path):
    assert make(tmp_path, "8").returncode == 0
    before, after = (
        yaml.safe_load((folder / "params.yaml").read_text()) for folder in (Path(), tmp_path)
    )
    assert {stage: after[stage]["threads"] for stage in STAGES} == dict.fromkeys(STAGES, 8)
    for stage in STAGES:
        before[stage]["threads"] = 8
    assert after == before


@pytest.mark.parametrize("threads", ["", "0", "many", "8 cores"])
def test_what_is_no_number_of_threads_is_one_line_and_changes_nothing(tmp_path, threads):
    done = make(tmp_path, threads)
    assert done.returncode != 0
    (line, *_) = done.stderr.splitlines()
    assert re.fullmatch(r"THREADS=\S.*: expected a number of CPU threads, such as 8", line)
    assert (tmp_path / "params.yaml").read_text() == Path("params.yaml").read_text()
