"""The store of paid answers: nothing acknowledged is lost, a torn line does not count."""

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from agent_tuning.chat_model.answer_store import AnswerStore
from agent_tuning.chat_model.messages import Reply
from agent_tuning.records import BadInput
from tests.support import small_disk


def reply(number: int) -> Reply:
    text = f"answer {number} 天气"
    return Reply(f"{number:032x}", f"question {number}", "some-model", text, "stop", 10, number)


def filled(path: Path, numbers: range) -> AnswerStore:
    store = AnswerStore(path)
    store.open()

    async def fill() -> None:
        await asyncio.gather(*(store.put(reply(number)) for number in numbers))

    try:
        asyncio.run(fill())
    finally:
        store.close()
    return store


def test_what_was_put_is_found_now_and_by_the_next_run(tmp_path):
    path = tmp_path / "new" / "store"
    for store in (filled(path, range(50)), AnswerStore(path)):
        assert [store.get(reply(number).key) for number in range(50)] == list(map(reply, range(50)))
        assert store.get(reply(50).key) is None
        assert list(store) == list(map(reply, range(50)))


def test_a_disk_that_fails_is_not_passed_over(tmp_path, monkeypatch):
    """Nobody waits for the fsync, so its error must come out elsewhere."""

    def broken(_: int) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="no disk"):
        filled(tmp_path / "store", range(3))


@small_disk.NEEDS_ROOT
def test_a_full_disk_is_one_line_and_what_was_kept_stays(tmp_path):
    with small_disk.mounted(tmp_path / "disk", 200) as disk:
        path = disk / "store"
        filled(path, range(300))
        kept = path.read_bytes()
        filler = small_disk.fill(disk)
        with pytest.raises(
            BadInput, match=r"store: no space left to write it \(\d+\.\d MB are free"
        ):
            filled(path, range(300, 900))
        whole = path.read_bytes()
        assert whole.startswith(kept)
        assert whole.endswith(b"\n")
        filler.unlink()
        filled(path, range(400))
        assert list(AnswerStore(path))[:400] == list(map(reply, range(400)))


def test_an_answer_is_kept_once(tmp_path):
    filled(tmp_path / "store", range(3))
    filled(tmp_path / "store", range(4))
    assert len((tmp_path / "store").read_bytes().splitlines()) == 4


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_torn_line_does_not_count_and_is_cut_off_before_the_next(cut, tmp_path):
    path = tmp_path / "store"
    filled(path, range(3))
    path.write_bytes(path.read_bytes()[:-cut])
    torn = path.read_bytes()
    assert len(AnswerStore(path)) == 2
    assert path.read_bytes() == torn  # reading mends nothing
    assert list(filled(path, range(2, 5))) == list(map(reply, range(5)))


def test_a_bad_line_in_the_middle_is_named(tmp_path):
    path = tmp_path / "store"
    path.write_bytes(msgspec.json.encode(reply(0)) + b'\n{"key": 3}\n')
    with pytest.raises(BadInput, match=r"store:2: .*\$\.key"):
        AnswerStore(path)


@pytest.mark.parametrize(
    ("line", "problem"),
    [(b'{"key": "\xff"}', "utf-8"), (b"", "an empty line")],
)
def test_a_line_that_cannot_be_read_is_named_with_its_number(tmp_path, line, problem):
    path = tmp_path / "store"
    path.write_bytes(msgspec.json.encode(reply(0)) + b"\n" + line + b"\n")
    with pytest.raises(BadInput, match=f"store:2: .*({problem})"):
        AnswerStore(path)


def test_two_runs_do_not_write_one_store(tmp_path):
    first, second = AnswerStore(tmp_path / "store"), AnswerStore(tmp_path / "store")
    first.open()
    with pytest.raises(BadInput, match="store: another run is writing it"):
        second.open()
    first.close()


def test_what_another_run_wrote_since_is_seen_and_not_cut_off(tmp_path):
    late = AnswerStore(tmp_path / "store")
    filled(tmp_path / "store", range(3))
    late.open()
    late.close()
    assert len(late) == 3
    assert list(late) == list(map(reply, range(3)))
