"""An append log loses nothing but the line that a kill left incomplete."""

from pathlib import Path

import pytest

from agent_tuning.files import append_log
from agent_tuning.records import BadInput, Tool

TOOLS = [Tool(name, f"About {name}.", {"type": "object"}) for name in ("a", "b", "c")]


def test_records_come_back_in_the_order_they_were_appended(tmp_path: Path) -> None:
    path = tmp_path / "folder/log.jsonl"
    append_log.append(path, TOOLS[:1])
    append_log.append(path, TOOLS[1:])
    assert append_log.read_complete(path, Tool) == TOOLS


def test_without_a_file_there_are_no_records(tmp_path: Path) -> None:
    assert append_log.read_complete(tmp_path / "none.jsonl", Tool) == []


@pytest.mark.parametrize("count", [0, 2], ids=["no complete line", "two complete lines"])
def test_an_incomplete_last_line_is_cut_off_and_the_next_record_starts_a_new_one(
    tmp_path: Path, count: int
) -> None:
    path = tmp_path / "log.jsonl"
    append_log.append(path, TOOLS[:count])
    complete = path.read_bytes()
    path.write_bytes(complete + b'{"name": "tor')
    assert append_log.read_complete(path, Tool) == TOOLS[:count]
    assert path.read_bytes() == complete
    append_log.append(path, TOOLS[2:])
    assert append_log.read_complete(path, Tool) == TOOLS[:count] + TOOLS[2:]


def test_a_record_starts_a_new_line_where_a_person_left_out_the_end_of_the_last(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.jsonl"
    append_log.append(path, TOOLS[:2])
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    append_log.append(path, TOOLS[2:])
    assert append_log.read_complete(path, Tool) == TOOLS


def test_a_bad_line_before_the_last_is_an_error_with_its_number(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"{}\n")
    append_log.append(path, TOOLS)
    with pytest.raises(BadInput, match=r"log\.jsonl:1: .*`name`"):
        append_log.read_complete(path, Tool)
