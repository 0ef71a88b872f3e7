"""A version passes when every gate holds, and says which one does not."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from agent_tuning.files import metrics_file
from agent_tuning.records import BadInput
from agent_tuning.runtime import config
from benchmark.compare import gate
from benchmark.compare.gate import GateResult
from benchmark.scoring import metrics
from benchmark.scoring.model_differences import ModelDifference

PARAMS = {
    "against": "",
    "parse_error_rate": 0.05,
    "answered_rate": 1.0,
    "error": 0.0,
    "retention": {"accuracy": 0.03, "bits_per_byte": 0.1},
}
KEPT = {
    "base.accuracy": 0.53,
    "tuned.accuracy": 0.5,
    "base.bits_per_byte": 1.1,
    "tuned.bits_per_byte": 1.2,
}
AHEAD = [
    ModelDifference("house", "lexical", 60, 0.4, 0.9, 0.5, 0.4, 0.6, 0.0001),
    ModelDifference("house", "always_none", 60, 0.3, 0.9, 0.6, 0.5, 0.7, 0.0001),
    ModelDifference("house", "base_two_shot", 60, 0.5, 0.9, 0.4, 0.3, 0.5, 0.0001),
    ModelDifference("bfcl", "lexical", 60, 0.9, 0.2, -0.7, -0.8, -0.6, 0.0001),
]
GOOD = {"tuned.answered_rate": 1.0, "tuned.error": 0.0, "tuned.parse_error_rate": 0.05}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write({})


def write(changes: dict[str, float], general: dict[str, float] | None = None) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"gate": PARAMS}))
    metrics_file.write(Path("metrics/suites/house.json"), {**GOOD, **changes})
    metrics_file.write(Path("metrics/suites/bfcl.json"), GOOD)
    metrics_file.write(Path("metrics/general.json"), {**KEPT, **(general or {})})


def run(differences: Sequence[ModelDifference] = AHEAD) -> list[GateResult]:
    suites = {name: metrics.read(Path(f"metrics/suites/{name}.json")) for name in ("house", "bfcl")}
    general = Path("metrics/general.json")
    settings = config.load("gate", gate.GateConfig)
    kept = metrics.read(general) if general.exists() else {}
    return list(gate.run_gates(suites, kept, differences, settings))


def list_failed(results: Sequence[GateResult]) -> list[str]:
    assert all(
        result.line.startswith("passed" if result.passed else "FAILED") for result in results
    )
    return [result.condition for result in results if not result.passed]


def test_a_version_that_holds_every_gate_passes() -> None:
    results = run()
    assert list_failed(results) == []
    assert len(results) == 2 * 3 + 2 + 2


def test_a_lead_that_may_be_chance_does_not_pass() -> None:
    chance = ModelDifference("house", "lexical", 60, 0.4, 0.44, 0.04, -0.02, 0.1, 0.37)
    assert list_failed(run([chance, *AHEAD[1:]])) == ["house em over lexical"]
    assert "+0.040, p 0.37" in run([chance, *AHEAD[1:]])[6].line
    behind = ModelDifference("house", "base_two_shot", 60, 0.9, 0.5, -0.4, -0.5, -0.3, 0.001)
    assert list_failed(run([*AHEAD[:2], behind])) == ["house em over base_two_shot"]
    assert list_failed(run([])) == ["house em"]


@pytest.mark.parametrize(
    ("changes", "general", "failed"),
    [
        # 1 % of the answers missing
        (
            {"tuned.answered_rate": 0.99, "tuned.error": 0.01},
            None,
            ["house answered_rate", "house error"],
        ),
        ({"tuned.parse_error_rate": 0.051}, None, ["house parse_error_rate"]),
        ({}, {"tuned.accuracy": 0.49}, ["retention of accuracy"]),
        ({}, {"tuned.bits_per_byte": 1.21}, ["retention of bits_per_byte"]),
        ({}, {"tuned.accuracy": 0.9, "tuned.bits_per_byte": 0.9}, []),
    ],
    ids=["partial", "malformed", "forgot", "talks worse", "better"],
)
def test_what_does_not_hold_is_named(
    changes: dict[str, float], general: dict[str, float] | None, failed: list[str]
) -> None:
    write(changes, general)
    assert list_failed(run()) == failed


def test_what_was_not_measured_fails() -> None:
    Path("metrics/general.json").unlink()
    assert [result.measured for result in run()].count("not measured") == 2


def test_a_recipe_without_a_suite_of_its_own_cannot_pass() -> None:
    names = ("differences.csv", "answers", "prompts", "metrics", "compare")
    with pytest.raises(BadInput, match="no suite to release by"):
        gate.main(*map(Path, names))
