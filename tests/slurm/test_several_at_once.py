"""Several commands on the same data: one makes it, and none stops another that waits for a job."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.slurm_cluster import wait_for

ROOT = Path(__file__).parents[2]
STAGES = {
    "mix": {
        "cmd": "echo made >> runs; sleep 3; echo data > mixed.jsonl",
        "outs": ["mixed.jsonl"],
    },
    "wait": {
        "cmd": "touch up; until [ -e go ]; do sleep 0.1; done; touch out",
        "deps": ["mixed.jsonl"],
        "outs": ["out"],
    },
}
SIZES = ("tiny", "350m", "7b")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    site = str(folder / ".dvc/tmp/site")
    return {**os.environ, "DVC_SITE_CACHE_DIR": site, "PYTHONPATH": str(ROOT)}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


def make_data(size: str) -> list[str]:
    """What slurm/launch/train does before it launches anything, on the data of `STAGES`."""
    script = (ROOT / "slurm/launch/train").read_text()
    (part,) = re.findall(r"^data=\(.*?\)\n(.*?)^pipeline=", script, re.DOTALL | re.MULTILINE)
    return ["bash", "-c", f"set -euo pipefail; hide_skipped=; size={size}; data=(mix)\n{part}"]


def find_repro() -> str:
    """What `make repro` does to the pipeline, on the stage `mix`, which is up to date."""
    makefile = (ROOT / "Makefile").read_text()
    (line,) = re.findall(r"^\t(dvc status .* \|\| dvc repro)$", makefile, re.MULTILINE)
    return line.replace("dvc.yaml", "mix").replace("dvc repro", "dvc repro mix")


def test_the_data_that_is_there_takes_no_lock(folder):
    made = run(folder, *make_data("tiny"))  # where there are none it makes them
    assert made.returncode == 0, made.stderr
    assert (folder / "mixed.jsonl").exists()
    waiting = subprocess.Popen(["dvc", "repro", "-s", "wait"], cwd=folder, env=environment(folder))
    try:
        wait_for("the stage that waits", (folder / "up").exists, 300)
        second = run(folder, *make_data("7b"))
        assert second.returncode == 0, second.stderr
        repro = run(folder, "bash", "-c", find_repro())
        assert repro.returncode == 0, repro.stderr
        assert "is busy" in run(folder, "dvc", "repro", "mix").stderr  # what both had been
    finally:
        (folder / "go").touch()
        assert waiting.wait(timeout=300) == 0


def test_three_commands_at_once_make_the_data_once_and_add_their_sizes(folder):
    started = [
        subprocess.Popen(
            make_data(size),
            cwd=folder,
            env=environment(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for size in SIZES
    ]
    outputs = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], outputs
    assert sum("another command makes the data; waiting" in output for output in outputs) == 2
    assert (folder / "runs").read_text() == "made\n"
    added = yaml.safe_load((folder / "params.yaml").read_text())["sizes"]
    assert sorted(added) == sorted(SIZES)
