"""The whole pipeline of every recipe for real, on the tiny model, as a user runs it."""

import json
import subprocess
from contextlib import chdir
from pathlib import Path

import pytest
import yaml

from agent_tuning.files import csv_records, jsonl
from agent_tuning.inference.requests import QuestionGroup
from agent_tuning.records import NATIVE, Group
from agent_tuning.training.validation import ValidationRow
from benchmark.drafting import draft_episodes
from benchmark.tasks import suites
from tests.support import kiosk_suite, smoke, versioned_repo

pytestmark = pytest.mark.slow
EVERY_RECIPE = pytest.mark.parametrize("recipe", smoke.RECIPES)
FAMILIES = {"general": draft_episodes.FAMILIES.keys(), "specialist": {"shop"}}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smoke")
    smoke.run(folder)
    return folder


def run(folder: Path, *command: str, may_fail: bool = False) -> str:
    if command[0] == "make":  # the copy has no environment of its own
        command = ("make", "--old-file=.venv/ready", *command[1:])
    done = subprocess.run(
        command,
        cwd=folder,
        env=smoke.environment(folder),
        capture_output=True,
        text=True,
        check=not may_fail,
    )
    return done.stdout + done.stderr


def list_stages_run(output: str) -> list[str]:
    return [line.split("'")[1] for line in output.splitlines() if "Running stage" in line]


@EVERY_RECIPE
def test_it_ends_with_metrics_of_both_models_and_a_page(copy, recipe):
    metrics = json.loads((copy / f"metrics/{recipe}/suites/house.json").read_text())
    assert {"base.em", "tuned.em", "tuned.score"} <= metrics.keys()
    assert metrics["tuned.answered_rate"] == 1.0
    page = (copy / f"report/{recipe}/index.html").read_text()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


@EVERY_RECIPE
def test_both_models_acted_and_kept_what_they_kept(copy, recipe):
    acted = json.loads((copy / f"metrics/{recipe}/episodes.json").read_text())
    assert (acted["gold.success"], acted["always_none.success"]) == (1.0, 0.0)
    assert {"base.pass^2", "tuned.pass^2"} <= acted.keys()
    start = "tuned.family."
    families = {key.removeprefix(start) for key in acted if key.startswith(start)}
    assert families == FAMILIES[recipe]
    kept = json.loads((copy / f"metrics/{recipe}/general.json").read_text())
    assert {"base.accuracy", "tuned.bits_per_byte", "accuracy_drop.high"} <= kept.keys()
    page = (copy / f"report/{recipe}/index.html").read_text()
    assert "general ability" in page
    assert "simulated worlds" in page


def test_the_specialist_is_trained_and_asked_in_native_prompts_of_its_tools_alone(copy):
    data = copy / "data/specialist"
    groups = list(jsonl.read(data / "mixed.jsonl", Group))
    assert {group.prompt.reply_format for group in groups} == {NATIVE}
    assert {len(group.tools) for group in groups} == {13}
    for suite in ("shop", "shop_drafted", "house", "bfcl", "validation"):
        asked = suites.read(data / "asked" / suite)
        assert asked.tasks, suite
        assert {prompt.template for prompt in asked.prompts.values()} == {NATIVE}
    assert "shop" in {
        task.split("/")[0]
        for group in jsonl.read(data / "shots.jsonl", QuestionGroup)
        for task in group.questions
    }


def test_the_specialist_is_measured_while_it_trains_and_the_general_model_is_not(copy):
    tables = {
        recipe: list(csv_records.read(copy / f"data/{recipe}/validation.csv", ValidationRow))
        for recipe in smoke.RECIPES
    }
    assert tables["general"] == []
    every = smoke.SMALL_SPECIALIST["validate"]["every"]
    steps = [row.step for row in tables["specialist"]]
    last = len((copy / "data/specialist/train_log.csv").read_text().splitlines()) - 1
    assert last > every
    assert steps == sorted({*range(every, last + 1, every), last})


def test_a_second_repro_does_nothing(copy):
    assert "Data and pipelines are up to date" in run(copy, "dvc", "repro")


def test_another_lambda_runs_score_only(copy):
    params = copy / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("lam: 0.5", "lam: 0.25"))
    ran = list_stages_run(run(copy, "dvc", "repro"))
    params.write_text(before)
    assert ran == ["score@specialist"]


def test_the_other_recipe_is_there_as_it_was(copy):
    run(copy, "make", "recipe", "NAME=general")
    output = run(copy, "dvc", "repro")
    run(copy, "make", "recipe", "NAME=specialist")
    assert list_stages_run(output) == []


def test_a_comment_in_the_library_retrains_nothing(copy):
    module = copy / "agent_tuning/tokens/packing.py"
    module.write_text(module.read_text() + "\n# a remark\n")
    ran = list_stages_run(run(copy, "dvc", "repro"))
    assert "code_hashes" in ran
    dear = ("fetch", "self_replies", "train", "predict", "episodes", "retention")
    assert not [name for name in ran if name.startswith(dear)]


def test_a_suite_written_by_hand_gets_to_report_compare_and_gate(copy):
    """As docs/suites.md says, under git; the last test, because the copy becomes a repository."""
    assert kiosk_suite.write(copy / "benchmark/suites/kiosk", 5) == 30
    assert "kiosk" in run(copy, "make", "suite-check", "SUITE=benchmark/suites/kiosk")
    params = copy / "params.yaml"
    sections = yaml.safe_load(params.read_text())
    sections["recipes"]["specialist"]["build_requests"]["groups"]["kiosk"] = None
    params.write_text(yaml.safe_dump(sections, allow_unicode=True, sort_keys=False))
    ran = list_stages_run(run(copy, "dvc", "repro"))
    assert "train@specialist" not in ran  # nothing of the suite is in the training data
    run(copy, "make", "report")
    measured = json.loads((copy / "metrics/specialist/suites/kiosk.json").read_text())
    assert (measured["tuned.n"], measured["tuned.answered_rate"]) == (30, 1.0)
    assert "kiosk" in (copy / "report/specialist/index.html").read_text()
    (copy / ".dvc/config.local").unlink()
    with chdir(copy):
        versioned_repo.start_git()
        versioned_repo.run_git("add", "-A")
        versioned_repo.run_git("commit", "-q", "-m", "kiosk")
    assert "kiosk" in run(copy, "make", "compare")
    gates = run(copy, "make", "gate", may_fail=True)  # the tiny model answers badly
    assert [line for line in gates.splitlines() if line.startswith("passed  kiosk")]
