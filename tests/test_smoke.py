"""The whole pipeline for real, on the tiny model, as a user runs it."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support import smoke

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smoke")
    smoke.run(folder)
    return folder


def dvc(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["dvc", *command],
        cwd=folder,
        env=smoke.environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def test_it_ends_with_metrics_of_both_models_and_a_page(copy):
    metrics = json.loads((copy / "metrics/house.json").read_text())
    assert {"base.em", "tuned.em", "tuned.score"} <= metrics.keys()
    assert metrics["tuned.answered_rate"] == 1.0
    page = (copy / "report/index.html").read_text()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_both_models_acted_and_kept_what_they_kept(copy):
    acted = json.loads((copy / "metrics/episodes.json").read_text())
    assert (acted["gold.success"], acted["always_none.success"]) == (1.0, 0.0)
    assert {"base.pass^2", "tuned.pass^2", "tuned.family.graph"} <= acted.keys()
    kept = json.loads((copy / "metrics/general.json").read_text())
    assert {"base.accuracy", "tuned.bits_per_byte", "accuracy_drop.high"} <= kept.keys()
    page = (copy / "report/index.html").read_text()
    assert "general ability" in page
    assert "simulated worlds" in page


def test_a_second_repro_does_nothing(copy):
    assert "Data and pipelines are up to date" in dvc(copy, "repro")


def test_another_lambda_runs_score_and_report_only(copy):
    params = copy / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("lam: 0.5", "lam: 0.25"))
    ran = [line for line in dvc(copy, "repro").splitlines() if "Running stage" in line]
    params.write_text(before)
    assert [line.split("'")[1] for line in ran] == ["score", "report"]


def test_a_comment_in_the_library_retrains_nothing(copy):
    module = copy / "agent_tuning/tokens/packing.py"
    module.write_text(module.read_text() + "\n# a remark\n")
    output = dvc(copy, "repro")
    assert "Running stage 'code_hashes'" in output
    dear = ("fetch", "self_replies", "train", "predict", "episodes", "retention")
    for stage in dear:
        assert f"Running stage '{stage}" not in output
