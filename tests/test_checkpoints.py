"""A checkpoint counts only when it is whole."""

from pathlib import Path

import pytest

from trajectory import checkpoints


def saved(run: Path, step: int, *, whole: bool = True) -> Path:
    folder = run / f"checkpoint-{step}"
    (folder / "shards").mkdir(parents=True)
    (folder / "shards/rank0").write_bytes(b"x" * 100)
    (folder / "state.json").write_text("{}")
    if whole:
        checkpoints.complete(folder)
    return folder


def test_the_newest_whole_one_is_taken_by_number_and_not_by_name(tmp_path):
    saved(tmp_path, 9)
    newest = saved(tmp_path, 10)
    assert checkpoints.newest(tmp_path) == (newest, [])


def truncate(folder: Path) -> None:
    (folder / "shards/rank0").write_bytes(b"x" * 99)


def remove(folder: Path) -> None:
    (folder / "shards/rank0").unlink()


def unmark(folder: Path) -> None:
    (folder / checkpoints.MARKER).unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(truncate, "99 bytes of 100"), (remove, "0 bytes of 100"), (unmark, "no COMPLETE marker")],
)
def test_a_torn_one_is_passed_over_with_its_reason(tmp_path, damage, reason):
    older = saved(tmp_path, 1)
    damage(saved(tmp_path, 2))
    found, (problem,) = checkpoints.newest(tmp_path)
    assert found == older
    assert reason in problem


def test_without_any_there_is_none(tmp_path):
    assert checkpoints.newest(tmp_path) == (None, [])
