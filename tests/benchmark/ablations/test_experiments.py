"""Experiments leave the working tree alone, are never run twice, and go on after a kill."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.repo import Repo

from agent_tuning.records import BadInput
from benchmark.ablations import experiments
from benchmark.ablations.plan import Experiment
from tests.support import smoke, versioned_repo
from tests.support.killed_stage import kill_all
from tests.support.slurm_cluster import wait_for

STEPS = 6
PARAMS: dict[str, Any] = {
    "recipe": "small",
    "train": {"seed": 0},
    "recipes": {"small": {"train": {}}},
    "ablations": {"seeds": [1, 2]},
}
PLANNED = [Experiment("full", seed, STEPS, {"train.seed": seed}) for seed in (1, 2)]
PIPELINE = """stages:
  score:
    matrix: {recipe: ["${recipe}"]}
    cmd: python work.py
    deps: [work.py]
    params: [train, "recipes.${recipe}.train"]
    outs: [weights]
    metrics: [{em.json: {cache: false}}]
  score_retention:
    matrix: {recipe: ["${recipe}"]}
    cmd: cp weights kept
    deps: [weights]
    outs: [kept]
"""
# A training that saves every step, as ours does with checkpoints; LOG has what was ever done.
WORK = f"""
import json, os, time, yaml
from pathlib import Path
from typing import Any
seed = yaml.safe_load(open("params.yaml"))["recipes"]["small"]["train"]["seed"]
saved = Path(f"scratch/train/run{{seed}}/step")
saved.parent.mkdir(exist_ok=True)
first = int(saved.read_text()) if saved.exists() else 0
for step in range(first + 1, {STEPS} + 1):
    time.sleep(0.2)
    with open(os.environ["LOG"], "a") as log:
        log.write(f"seed {{seed}} step {{step}}\\n")
    saved.write_text(str(step))
Path("weights").write_text(f"trained with {{seed}}")
Path("em.json").write_text(json.dumps({{"em": seed / 10}}))
"""
DRIVER = """
import yaml
from pathlib import Path
from typing import Any
from agent_tuning.runtime import cli
from benchmark.ablations import experiments
from benchmark.ablations.plan import Experiment

def main():
    commit = experiments.find_commit()
    planned = [Experiment("full", seed, 6, {"train.seed": seed}) for seed in (1, 2)]
    params = yaml.safe_load(open("params.yaml"))
    finished = experiments.find_finished(planned, commit, params, "small")
    left = [one for one in planned if one.name not in finished]
    print("left", len(left), flush=True)
    failed = experiments.run_all(left, commit, params, "small")
    print("failed", *failed)

cli.run(main)
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A committed project whose one stage trains for a second."""
    folder = tmp_path / "project"
    folder.mkdir()
    with chdir(folder):
        versioned_repo.start_git()
        Repo.init(".").close()
        Path("params.yaml").write_text(yaml.safe_dump(PARAMS))
        Path("dvc.yaml").write_text("vars: []\n" + PIPELINE)
        Path("work.py").write_text(WORK)
        Path(".gitignore").write_text("/scratch/\n/weights\n/kept\n/.dvc/config.local\n")
        versioned_repo.run_git("add", "-A")
        versioned_repo.run_git("commit", "-q", "-m", "start")
        yield folder


def start(project: Path) -> subprocess.Popen[str]:
    environment = {
        **smoke.environment(project),
        "PYTHONPATH": str(smoke.ROOT),
        "LOG": str(project.parent / "log"),
    }
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_log(project: Path) -> list[str]:
    log = project.parent / "log"
    return log.read_text().splitlines() if log.exists() else []


def list_finished() -> list[str]:
    commit, params = experiments.find_commit(), yaml.safe_load(Path("params.yaml").read_text())
    return list(experiments.find_finished(PLANNED, commit, params, "small"))


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was_and_runs_nothing_twice(project):
    running = start(project)
    wait_for("the second training", lambda: "seed 2 step 2" in read_log(project), 60)
    kill_all(running)
    assert list_finished() == ["ablation-full-1"]
    output, _ = start(project).communicate()
    assert "left 1\n" in output
    assert "failed\n" in output
    done = read_log(project)
    assert list(dict.fromkeys(done)) == [
        f"seed {seed} step {step}" for seed in (1, 2) for step in range(1, STEPS + 1)
    ]
    assert len(done) <= 2 * STEPS + 1  # a step may have been done, and not saved
    assert list_finished() == ["ablation-full-1", "ablation-full-2"]
    assert not any((experiments.FOLDER / "checkpoints").iterdir())
    # only the first one says how long an experiment takes: the other one was resumed
    assert [run.name for run in experiments.read_finished_runs()] == ["ablation-full-1"]
    assert not experiments.run_git("status", "--porcelain")
    assert yaml.safe_load(Path("params.yaml").read_text()) == PARAMS
    show = [sys.executable, "-m", "dvc", "exp", "show", "--json"]
    shown = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    found = {
        one["revs"][0]["name"]: one["revs"][0]["data"]["metrics"]["em.json"]["data"]["em"]
        for row in json.loads(shown)
        for one in row["experiments"] or ()
    }
    assert found == {"ablation-full-1": 0.1, "ablation-full-2": 0.2}
    check_later_commits()


def check_later_commits() -> None:
    """What a later commit leaves as it was stays finished."""

    def commit(file: str, text: str) -> list[str]:
        Path(file).write_text(text)
        versioned_repo.run_git("add", "-A")
        versioned_repo.run_git("commit", "-q", "-m", file)
        return list_finished()

    both = ["ablation-full-1", "ablation-full-2"]
    assert commit("README.md", "table") == both
    assert commit("params.yaml", yaml.safe_dump(PARAMS | {"ablations": {"seeds": [3]}})) == both
    other = PARAMS | {"train": {"seed": 0, "rate": 1}}
    assert commit("params.yaml", yaml.safe_dump(other)) == []
    assert commit("params.yaml", yaml.safe_dump(PARAMS)) == both
    Path("agent_tuning").mkdir()
    assert commit("agent_tuning/code.py", "") == []


@pytest.mark.slow
def test_a_signal_lets_the_stage_end_and_says_that_it_goes_on(project):
    running = start(project)
    wait_for("the first training", lambda: "seed 1 step 2" in read_log(project), 60)
    os.kill(running.pid, signal.SIGTERM)
    output, _ = running.communicate()
    assert running.returncode == 75
    assert output.endswith("run `make ablations GO=1` again: it goes on where it was\n")
    assert not [line for line in read_log(project) if line.startswith("seed 2")]


@pytest.mark.slow
def test_a_failed_experiment_is_named_and_the_others_run(project):
    work = Path("work.py")
    work.write_text(WORK.replace("first =", "assert seed != 1\nfirst ="))
    versioned_repo.run_git("commit", "-q", "-a", "-m", "broken")
    output, _ = start(project).communicate()
    assert "failed ablation-full-1\n" in output
    assert list_finished() == ["ablation-full-2"]


@pytest.mark.slow
def test_a_success_leaves_the_checkpoints_of_an_experiment_that_failed(project):
    work = Path("work.py")
    stop = "    assert (seed, step) != (1, 4) or os.path.exists(os.environ['LOG'] + '.again')\n"
    work.write_text(WORK.replace("    time.sleep(0.2)\n", stop))
    versioned_repo.run_git("commit", "-q", "-a", "-m", "fails once")
    output, _ = start(project).communicate()
    assert "failed ablation-full-1\n" in output
    (project.parent / "log.again").touch()
    output, _ = start(project).communicate()
    assert "failed\n" in output
    steps = [line for line in read_log(project) if line.startswith("seed 1")]
    assert steps == [f"seed 1 step {step}" for step in range(1, STEPS + 1)]
    assert not any((experiments.FOLDER / "checkpoints").iterdir())
    # the other one was trained from its first step, though something lay there
    assert [run.name for run in experiments.read_finished_runs()] == ["ablation-full-2"]


@pytest.mark.usefixtures("project")
def test_changes_that_are_not_committed_are_refused():
    Path("params.yaml").write_text(yaml.safe_dump(PARAMS | {"train": {"seed": 5}}))
    with pytest.raises(BadInput, match=r"^params.yaml: 1 changes are not committed"):
        experiments.check_committed()


@pytest.mark.usefixtures("project")
def test_a_page_may_change_beside_a_run():
    Path("docs").mkdir()
    Path("docs/ablations.md").write_text("table")
    experiments.check_committed()


def test_two_runs_at_once_are_refused(project):
    with experiments._locked():
        output, _ = start(project).communicate()
    assert "another `make ablations` runs here" in output


def test_without_git_it_says_so(tmp_path):
    with chdir(tmp_path), pytest.raises(BadInput, match=r"git rev-parse: fatal: not a git repo"):
        experiments.find_commit()
