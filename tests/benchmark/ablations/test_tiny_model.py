"""`make ablations` for real on the tiny model: killed once, it goes on, and the table is there."""

import re
import subprocess
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_tuning.files import csv_records, jsonl
from agent_tuning.records import Assistant, Group
from benchmark.ablations.table import AblationRow
from benchmark.compare.git_versions import fetch_files
from tests.support import smoke, versioned_repo
from tests.support.killed_stage import kill_all

pytestmark = pytest.mark.slow
SECTION: dict[str, Any] = {
    "seeds": [1],
    "steps": 4,
    "runs": [
        {"name": "no_thought", "title": "no thought", "set": {"diversify.thoughts": False}},
    ],
}
SUITES = ("shop", "shop_drafted")
NAMES = ["ablation-full-1", "ablation-no_thought-1"]
MIXED = Path("data/specialist/mixed.jsonl")


def make(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["make", "--silent", "--old-file=.venv/ready", "ablations", *words],
        cwd=folder,
        env=smoke.environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def list_finished(folder: Path) -> dict[str, str]:
    """The commits of the experiments, by name."""
    command = ["git", "for-each-ref", "--format=%(refname) %(objectname)", "refs/exps"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    lines = (line.split() for line in done.stdout.splitlines())
    return {ref.rsplit("/", 1)[1]: commit for ref, commit in lines}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed copy of the repository, whose numbers are small."""
    folder = tmp_path_factory.mktemp("ablations")
    smoke.copy_repository(folder)
    smoke.shrink(folder)
    params = folder / "params.yaml"
    sections = yaml.safe_load(params.read_text()) | {"ablations": SECTION}
    params.write_text(yaml.safe_dump(sections, allow_unicode=True, sort_keys=False))
    (folder / ".dvc/config.local").unlink()
    with chdir(folder):
        versioned_repo.start_git()
        versioned_repo.run_git("add", "-A")
        versioned_repo.run_git("commit", "-q", "-m", "tiny")
    return folder


def test_the_plan_is_printed_and_nothing_starts(copy):
    output, _ = make(copy, "SPEED=160").communicate()
    assert "2 of 2 experiments on commit" in output
    assert re.search(r"are left: 0\.\d hours of training: 8 steps", output)
    assert "GO=1" in output
    assert not (copy / "scratch/ablations").exists()


def test_killed_once_it_goes_on_and_writes_the_table(copy):
    running = make(copy, "GO=1", "SPEED=160")
    while not list_finished(copy):
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.2)
    kill_all(running)
    first = list_finished(copy)
    assert list(first) == NAMES[:1]
    before = (copy / "params.yaml").read_text()
    output, _ = make(copy, "GO=1").communicate()  # the hours come from the first experiment now
    assert "1 of 2 experiments" in output
    finished = list_finished(copy)
    assert finished.keys() == set(NAMES), output
    assert finished[NAMES[0]] == first[NAMES[0]]  # it was not run again
    assert (copy / "params.yaml").read_text() == before
    rows = list(csv_records.read(copy / "metrics/specialist/ablations.csv", AblationRow))
    assert [(row.suite, row.ablation, row.seeds) for row in rows] == [
        (suite, name, 1) for suite in SUITES for name in ("full", "no_thought")
    ]
    assert all(row.n and row.bits_per_byte for row in rows)
    page = (copy / "docs/ablations.md").read_text()
    assert "4 optimizer steps, seeds 1, on " in page
    assert "| shop, freely worded | the recipe | " in page
    assert "|  | no thought | " in page


def test_an_experiment_has_what_it_changes_in_its_data_and_the_other_has_not(copy):
    finished = list_finished(copy)
    thoughts = {}
    with chdir(copy):
        for name in NAMES:
            with fetch_files(finished[name], [MIXED]) as folder:
                groups = list(jsonl.read(folder / MIXED, Group))
            turns = [t for group in groups for one in group.trajectories for t in one.turns]
            thoughts[name] = sum(isinstance(t, Assistant) and bool(t.thought) for t in turns)
    assert thoughts[NAMES[0]] > 0
    assert thoughts[NAMES[1]] == 0


def test_when_all_is_finished_nothing_is_run_and_the_table_is_written_again(copy):
    page = copy / "docs/ablations.md"
    before = page.read_text()
    output, _ = make(copy, "GO=1").communicate()
    assert "0 of 2 experiments" in output
    assert "experiment 1" not in output
    assert page.read_text() == before
