"""An output is whole or not there, is never opened in place, and a full disk is one line."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from safetensors import SafetensorError

from agent_tuning.files import append_log, atomic_write, csv_records, jsonl
from agent_tuning.files import metrics_file as metrics
from agent_tuning.model import tiny_model
from agent_tuning.records import BadInput, Tool
from agent_tuning.tokens import pack_file
from agent_tuning.tokens.pack_file import Pack, Span
from agent_tuning.training import checkpoints
from tests.conftest import SIZES
from tests.support import small_disk


class Row(msgspec.Struct):
    text: str


TOOLS = [Tool(f"tool_{number}", "x" * 900, {"type": "object"}) for number in range(100)]
ROWS = [Row("x" * 900) for _ in range(100)]
PACK = Pack(list(range(40_000)), [0.0, *[1.0] * 39_998, 0.0], [Span(1, (39_999,))])


def write_model(target: Path) -> None:
    with atomic_write.replacing(target, SafetensorError) as partial:
        tiny_model.build_model(SIZES, tiny_model.build_tokenizer()).save_pretrained(partial)


def write_marker(target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    for number in range(60):
        (target.parent / f"{'long_name' * 20}{number}").touch()
    checkpoints.mark_complete(target.parent, 1)


# What writes each kind of file, about 100 KB of it (the marker: 12 KB).
WRITERS: dict[str, Callable[[Path], object]] = {
    "data.jsonl": lambda path: jsonl.write(path, TOOLS),
    "table.csv": lambda path: csv_records.write(path, Row, ROWS),
    "metrics.json": lambda path: metrics.write(path, {f"name_{n:0100}": n for n in range(999)}),
    "packs.parquet": lambda path: pack_file.write(path, [PACK]),
    "text.md": lambda path: atomic_write.write_text(path, "x" * 100_000),
    "model": write_model,
    "checkpoint/COMPLETE": write_marker,
}


@small_disk.NEEDS_ROOT
@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_one_line_and_leaves_the_old_output_and_no_part_of_a_new_one(
    name: str, tmp_path: Path
) -> None:
    with small_disk.mounted(tmp_path / "disk", 2000) as disk:
        target = disk / name
        WRITERS[name](target)
        before = read_all(disk)
        filler = small_disk.fill(disk)
        with pytest.raises(BadInput, match=r"no space left to write it \(\d+\.\d MB are free\)"):
            WRITERS[name](target)
        filler.unlink()
        assert read_all(disk) == before
        WRITERS[name](target)
        assert read_all(disk) == before


def read_all(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "model"])
def test_an_output_that_is_a_hard_link_leaves_the_other_name_as_it_was(
    name: str, tmp_path: Path
) -> None:
    """DVC's cache is the other name."""
    target = tmp_path / name
    target.parent.mkdir(exist_ok=True)
    cached = tmp_path / "cached"
    cached.write_text("an older version")
    os.link(cached, target)
    WRITERS[name](target)
    assert cached.read_text() == "an older version"
    assert target.stat().st_nlink == 1


def test_a_block_that_fails_leaves_the_old_file_or_folder_and_nothing_beside_it(
    tmp_path: Path,
) -> None:
    target = tmp_path / "output"
    atomic_write.write_text(target, "old")

    def write_half() -> None:
        with atomic_write.replacing(target) as partial:
            partial.write_text("half of")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert read_all(tmp_path) == {"output": b"old"}


def test_a_folder_takes_the_place_of_an_older_one_with_all_its_files(tmp_path: Path) -> None:
    target = tmp_path / "model"
    for name in ("old", "new"):
        with atomic_write.replacing(target) as partial:
            partial.mkdir()
            (partial / name).touch()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_part_that_a_kill_left_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "model"
    (tmp_path / "model.partial/half").mkdir(parents=True)
    atomic_write.write_text(target, "whole")
    assert read_all(tmp_path) == {"model": b"whole"}


@small_disk.NEEDS_ROOT
def test_answers_that_are_kept_survive_a_full_disk_and_are_never_written_again(
    tmp_path: Path,
) -> None:
    with small_disk.mounted(tmp_path / "disk", 300) as disk:
        log = disk / "log.jsonl"
        append_log.append(log, TOOLS)
        kept = log.read_bytes()
        filler = small_disk.fill(disk)
        with pytest.raises(BadInput, match=r"log.jsonl: no space left"):
            append_log.append(log, TOOLS)
        assert log.read_bytes().startswith(kept)
        assert append_log.read_complete(log, Tool)[: len(TOOLS)] == TOOLS
        filler.unlink()
        append_log.append(log, TOOLS[:1])
        assert append_log.read_complete(log, Tool)[-1] == TOOLS[0]


def test_reading_kept_answers_writes_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    append_log.append(log, TOOLS)
    os.utime(log, (1, 1))
    append_log.read_complete(log, Tool)
    assert log.stat().st_mtime == 1
