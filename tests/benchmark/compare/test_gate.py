"""A version passes when every gate holds, and says which one does not."""

from pathlib import Path

import pytest
import yaml

from agent_tuning.files import metrics_file
from benchmark.compare import gate

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
GOOD = {"tuned.answered_rate": 1.0, "tuned.error": 0.0, "tuned.parse_error_rate": 0.05}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write({})


def write(changes: dict[str, float], general: dict[str, float] | None = None) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"gate": PARAMS}))
    metrics_file.write(Path("metrics/house.json"), {**GOOD, **changes})
    metrics_file.write(Path("metrics/bfcl.json"), GOOD)
    metrics_file.write(Path("metrics/general.json"), {**KEPT, **(general or {})})


def run() -> int:
    names = ("answers", "prompts", "metrics", "compare", "house", "bfcl")
    with pytest.raises(SystemExit) as stopped:
        gate.main(*map(Path, names))
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


def test_a_version_that_holds_every_gate_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 3 + 2
    assert all(line.startswith("passed") for line in lines)


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
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, float],
    general: dict[str, float] | None,
    failed: list[str],
) -> None:
    write(changes, general)
    assert run() == bool(failed)
    lines = capsys.readouterr().out.splitlines()
    bad = [line for line in lines if line.startswith("FAILED")]
    assert [line[8:36].strip() for line in bad] == failed


def test_what_was_not_measured_fails(capsys: pytest.CaptureFixture[str]) -> None:
    Path("metrics/general.json").unlink()
    assert run() == 1
    assert capsys.readouterr().out.count("not measured") == 2
