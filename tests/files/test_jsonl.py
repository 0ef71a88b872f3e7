"""JSON Lines: written whole or not at all; an error names the bad line."""

import pytest

from agent_tuning.files import jsonl
from agent_tuning.records import BadInput, Call, User


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"name": "f", "argument": {}}', r":2: .*unknown field `argument`"),
        ('{"name": 3}', r":2: .*`str`.*name"),
        ('{"name": "f"', r":2: "),
        ('\n{"name": "g"}', r":2: an empty line: expected a record; delete the line"),
        ('{"name": "\udcff"}', r":2: .*utf-8"),
        ('\ufeff{"name": "f"}', r":2: a byte order mark: save the file as UTF-8 without it"),
        ('{"' + "x" * 1000 + '": 1}', r":2: .*unknown field `x{1,300}$"),
    ],
    ids=["unknown field", "wrong type", "incomplete", "empty", "not UTF-8", "BOM", "long"],
)
def test_a_broken_line_is_named_with_its_field(line, message, tmp_path):
    path = tmp_path / "calls.jsonl"
    path.write_text('{"name": "f"}\n' + line + "\n", "utf-8", "surrogateescape")
    with pytest.raises(BadInput, match=message):
        list(jsonl.read(path, Call))


def test_blank_lines_at_the_end_are_no_records(tmp_path):
    path = tmp_path / "calls.jsonl"
    path.write_text('{"name": "f"}\n\n  \n')
    assert list(jsonl.read(path, Call)) == [Call("f")]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "calls.jsonl"
    jsonl.write(path, [Call("f")])

    def failing():
        yield Call("g")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        jsonl.write(path, failing())
    assert list(jsonl.read(path, Call)) == [Call("f")]


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "deep/users.jsonl"
    users = [User("你好"), User('"quoted"\n')]
    assert jsonl.write(path, users) == 2
    assert list(jsonl.read(path, User)) == users


def test_a_missing_file_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        list(jsonl.read(tmp_path / "x.jsonl", User))
