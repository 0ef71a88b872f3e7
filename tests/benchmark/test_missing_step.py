"""A command before its time says in one line what to run first."""

import importlib
from pathlib import Path

import pytest

from agent_tuning.records import BadInput
from tests.support import general_params

NOTHING = "nothing"
COMMANDS = {
    "review.serve": ("candidates", "make draft", ("benchmark/candidates", "r", "d")),
    "review.merge": ("candidates", "make draft", ("s", NOTHING, "r", "t", "w")),
    "review.candidates": ("training data", "dvc repro mix", ("s", NOTHING, "o", "r")),
    "review.export_corrections": ("candidates", "make draft", ("s", NOTHING, "r", "t")),
    "judge.rate_drafts": ("candidates", "make draft", (NOTHING, "r")),
    "judge.rate_answers": ("answers", "make repro", (NOTHING, "f", "r", "m", "v")),
    "rating.serve": ("answers", "make repro", (NOTHING, "f", "d", "m", "v")),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_people_are_told_the_step_before(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text((general_params.ROOT / "params.yaml").read_text())
    what, step, paths = COMMANDS[command]
    main = importlib.import_module(f"benchmark.annotation.{command}").main
    with pytest.raises(BadInput, match=rf": no {what} yet: run `{step}`$"):
        main(*map(Path, paths))


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("compare.gate", ("differences.csv", "a", "r", "m", "t", "shop")),
        ("reports.leaderboard", ("breakdown.csv",)),
        ("reports.write_report", ("data", "metrics", "base", "report")),
    ],
)
def test_what_reads_scores_says_to_make_them(
    command: str, paths: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    main = importlib.import_module(f"benchmark.{command}").main
    with pytest.raises(BadInput, match=r"no scores yet: run `make repro`$"):
        main(*map(Path, paths))
