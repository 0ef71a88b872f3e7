"""CSV: what is written is read; a damaged row is one line with file, row and field."""

import csv
from pathlib import Path

import pytest

from agent_tuning.files import csv_records
from agent_tuning.records import BadInput, Record


class Row(Record, frozen=True):
    name: str
    share: float | None = None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = [Row("a", 0.5), Row('of "two",\nlines')]
    csv_records.write(tmp_path / "t.csv", Row, rows)
    assert list(csv_records.read(tmp_path / "t.csv", Row)) == rows


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"name,share\na,0.5\nb,\xff\n", ":3: expected UTF-8: invalid start byte"),
        (b'name,share\n"two\nlines",0.5\nb,many\n', ":4: Expected `float"),
        (b"name,share\n" + b"x" * 200_000 + b",0.5\n", ":2: field larger than field limit"),
        (b"name,share\na,0.5,more\n", ":2: "),
        (b"name,other\n", ":1: expected a header of these names: name, share"),
        (b"", ":1: expected a header of these names: name, share"),
    ],
    ids=["no UTF-8", "no number", "too long", "a cell too many", "unknown column", "empty"],
)
def test_a_damaged_row_is_one_line_with_its_number(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    before = csv.field_size_limit(131_072)  # Python's own; a library may have raised it
    with pytest.raises(BadInput, match=f"t.csv{problem}") as error:
        list(csv_records.read(tmp_path / "t.csv", Row))
    csv.field_size_limit(before)
    assert "\n" not in str(error.value)
