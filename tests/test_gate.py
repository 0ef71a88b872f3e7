"""A version passes when every gate holds, and says which one does not."""

from pathlib import Path

import pytest
import yaml

from benchmark import gate
from trajectory import metricfile

PARAMS = {
    "against": "",
    "malformed": 0.05,
    "coverage": 1.0,
    "error": 0.0,
    "retention": {"accuracy": 0.03},
}
GOOD = {"tuned.coverage": 1.0, "tuned.error": 0.0, "tuned.malformed": 0.05}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write({})


def write(changes: dict[str, float], general: dict[str, float] | None = None) -> None:
    Path("params.yaml").write_text(yaml.safe_dump({"gate": PARAMS}))
    metricfile.write(Path("metrics/house.json"), {**GOOD, **changes})
    metricfile.write(Path("metrics/bfcl.json"), GOOD)
    if general is not None:
        metricfile.write(Path("metrics/general.json"), general)


def run() -> int:
    names = ("answers", "prompts", "metrics", "compare", "house", "bfcl")
    with pytest.raises(SystemExit) as stopped:
        gate.main(*map(Path, names))
    assert isinstance(stopped.value.code, int)
    return stopped.value.code


def test_a_version_that_holds_every_gate_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 2 * 3
    assert all(line.startswith("passed") for line in said)


@pytest.mark.parametrize(
    ("changes", "general", "failed"),
    [
        # 1 % of the answers missing
        ({"tuned.coverage": 0.99, "tuned.error": 0.01}, None, ["house coverage", "house error"]),
        ({"tuned.malformed": 0.051}, None, ["house malformed"]),
        ({}, {"base.accuracy": 0.53, "tuned.accuracy": 0.49}, ["retention of accuracy"]),
        ({}, {"base.accuracy": 0.53}, ["retention of accuracy"]),
        ({}, {"base.accuracy": 0.53, "tuned.accuracy": 0.5}, []),
    ],
    ids=["partial", "malformed", "forgot", "not measured", "as much as may be"],
)
def test_what_does_not_hold_is_named(
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, float],
    general: dict[str, float] | None,
    failed: list[str],
) -> None:
    write(changes, general)
    assert run() == bool(failed)
    said = capsys.readouterr().out.splitlines()
    bad = [line for line in said if line.startswith("FAILED")]
    assert [line[8:36].strip() for line in bad] == failed
