"""The two errors of the fence are counted by edit, language and author, and printed."""

import sys
from pathlib import Path

import pytest
import yaml

from agent_tuning.files import jsonl
from agent_tuning.quality.decontamination import (
    ContaminationFilter,
    ProtectedQuery,
    RewordedLimits,
)
from agent_tuning.records import Assistant, Group, PromptSpec, Trajectory, User
from agent_tuning.runtime import cli
from benchmark.reports import decontamination_recall as recall
from tests.support import general_params

LONG = "Book 2 berths for the old lightship Elsa in the north basin of Hull from Friday to Sunday"
CHINESE = "请帮我在北港为那艘旧灯船预订两个泊位从星期五到星期天一共三晚谢谢你"
HOUSE = [ProtectedQuery(text, f"house/{n}") for n, text in enumerate((LONG, CHINESE))]
BFCL = [ProtectedQuery("Compute the roots of a quadratic equation", "bfcl/a")]
LIMITS = RewordedLimits(words=0.7, characters=0.7)


def test_every_edit_of_a_long_query_is_found_in_both_languages():
    found = recall.measure_recall([LONG, CHINESE], ContaminationFilter(HOUSE, 0.7, LIMITS))
    # The Chinese query has no number to change.
    expected = {(edit, language) for edit in recall.EDITS for language in ("en", "zh")}
    assert found.keys() == expected - {("number", "zh")}
    assert set(found.values()) == {(1, 1)}


def test_an_edit_that_is_not_found_is_counted_as_missed():
    nothing = ContaminationFilter([], 0.7, LIMITS)
    assert set(recall.measure_recall([LONG], nothing).values()) == {(0, 1)}


def test_a_query_of_one_author_near_one_of_another_is_a_false_alarm():
    near = ProtectedQuery(LONG.replace("Elsa", "Nora"), "bfcl/b")

    def build(queries):
        return ContaminationFilter(queries, 0.7, LIMITS)

    counts = recall.measure_false_alarms([*HOUSE, *BFCL, near], build)
    assert counts == {("bfcl", "en"): (1, 2), ("ours", "en"): (1, 1), ("ours", "zh"): (0, 1)}


def test_the_command_prints_both_tables_and_every_reject_with_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = general_params.read()
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(params))
    jsonl.write(Path("protected.jsonl"), [*HOUSE, *BFCL])
    turns = (User(LONG.lower()), Assistant("no_call", text="No."))
    copy = Group("g", PromptSpec("g", "en", ()), (Trajectory("g.1", turns, "general", "en"),))
    jsonl.write(Path("groups.jsonl"), [copy])
    monkeypatch.setattr(sys, "argv", ["x", "protected.jsonl", "groups.jsonl"])
    cli.run(recall.main)
    printed = capsys.readouterr().out
    assert "| number | zh |" not in printed
    assert "| order | en | 1.00 | 1.00 | 1 |" in printed
    assert "| ours | zh | 0.0000 | 0.0000 | 1 |" in printed
    assert f"groups.jsonl: rejects 1 of 1 trajectories\n  g.1: exact: house/0: {LONG.lower()}" in (
        printed
    )
