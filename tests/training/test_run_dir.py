"""The folder of a run says which inputs it is of; a damaged note of another run stops nobody."""

from pathlib import Path

import pytest

from agent_tuning.records import Record
from agent_tuning.training import run_dir


class Config(Record, frozen=True):
    epochs: int


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("packs").write_text("packs")


def open_run(epochs: int) -> Path:
    run, checkpoint = run_dir.open_run_dir(Config(epochs), [Path("packs")])
    assert checkpoint is None
    return run


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"epochs": 1}', "\udcff", '{"a": "\udcff"}'])
def test_a_broken_inputs_json_is_written_anew_and_passed_over_by_other_runs(
    damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = open_run(1)
    note = (run / run_dir.INPUTS_FILE).read_bytes()
    (run / "checkpoint-1").mkdir()
    (run / "checkpoint-1/COMPLETE").touch()
    (run / run_dir.INPUTS_FILE).write_text(damage, errors="surrogateescape")
    assert open_run(2) != run
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "skipped: " in line]
    assert f"{run}/{run_dir.INPUTS_FILE}: " in line
    assert open_run(1) == run
    assert (run / run_dir.INPUTS_FILE).read_bytes() == note
