"""A checkpoint counts only when it is complete."""

from pathlib import Path

import pytest

from agent_tuning.records import BadInput
from agent_tuning.training import checkpoints

RANKS = 2


def saved(run: Path, step: int, *, complete: bool = True) -> Path:
    folder = run / f"checkpoint-{step}"
    (folder / "shards").mkdir(parents=True)
    (folder / "shards/rank0").write_bytes(b"x" * 100)
    (folder / "state.json").write_text("{}")
    if complete:
        checkpoints.mark_complete(folder, RANKS)
    return folder


def test_the_newest_complete_one_is_found_by_number_and_not_by_name(tmp_path):
    saved(tmp_path, 9)
    newest = saved(tmp_path, 10)
    assert checkpoints.find_newest(tmp_path, RANKS) == (newest, [])


def truncate(folder: Path) -> None:
    (folder / "shards/rank0").write_bytes(b"x" * 99)


def remove(folder: Path) -> None:
    (folder / "shards/rank0").unlink()


def unmark(folder: Path) -> None:
    (folder / checkpoints.MARKER).unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncate, "99 bytes, expected 100"),
        (remove, "0 bytes, expected 100"),
        (unmark, "no COMPLETE marker"),
    ],
)
def test_an_incomplete_one_is_skipped_with_the_reason(tmp_path, damage, reason):
    older = saved(tmp_path, 1)
    damage(saved(tmp_path, 2))
    newest, (problem,) = checkpoints.find_newest(tmp_path, RANKS)
    assert newest == older
    assert reason in problem


def test_an_incomplete_one_is_removed_so_that_it_is_not_kept_in_place_of_a_complete_one(tmp_path):
    older, incomplete = saved(tmp_path, 1), saved(tmp_path, 2, complete=False)
    checkpoints.find_newest(tmp_path, RANKS)
    assert older.exists()
    assert not incomplete.exists()


def test_one_of_another_number_of_ranks_is_rejected_with_both_numbers(tmp_path):
    saved(tmp_path, 1)
    with pytest.raises(BadInput, match="checkpoint-1: written by 2 ranks, but this run has 4"):
        checkpoints.find_newest(tmp_path, 4)
    assert checkpoints.find_newest(tmp_path, RANKS)[0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "expected JSON: Input data was truncated"),
        (b'{"ranks": 2, "files": {"\xff": 1}}', "expected JSON: 'utf-8' codec"),
        (b'{"ranks": "2"}', "Expected `int`"),
    ],
)
def test_a_malformed_marker_is_a_reason_too(tmp_path, content, reason):
    (saved(tmp_path, 1) / checkpoints.MARKER).write_bytes(content)
    newest, (problem,) = checkpoints.find_newest(tmp_path, RANKS)
    assert newest is None
    assert f"COMPLETE: {reason}" in problem


def test_without_any_there_is_none(tmp_path):
    assert checkpoints.find_newest(tmp_path, RANKS) == (None, [])
