"""Packs that cannot be trained on are one line with the file, the row and what to run."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from agent_tuning.records import BadInput
from agent_tuning.tokens import pack_file
from agent_tuning.tokens.pack_file import Pack, Span

WORDS = 100
SOUND = {"ids": [1, 2, 3, 4, 5], "weights": [0.0, 0.0, 1.0, 0.0, 1.0], "spans": [[1, 2, 2]]}


def write(path: Path, *rows: dict[str, Any], schema: pa.Schema = pack_file.SCHEMA) -> Path:
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path)
    return path


def test_sound_packs_pass(tmp_path: Path) -> None:
    pack_file.check(write(tmp_path / "p.parquet", SOUND, SOUND), WORDS)
    packs = [Pack([1, 2, 3], [0.0, 0.0, 1.0], [Span(1, (2,))])] * (pack_file.PACKS_IN_MEMORY + 1)
    pack_file.write(tmp_path / "q.parquet", packs)
    pack_file.check(tmp_path / "q.parquet", WORDS)


BAD_ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "ids out of the vocabulary": ({"ids": [1, 2, 3, 4, 100]}, "ids: expected tokens from 0 to 99"),
    "negative ids": ({"ids": [-1, 2, 3, 4, 5]}, "ids: expected tokens from 0 to 99"),
    "no ids": ({"ids": []}, "ids: expected numbers"),
    "null ids": ({"ids": None}, "ids: expected numbers"),
    "null among ids": ({"ids": [1, None, 3, 4, 5]}, "ids: expected numbers"),
    "too few weights": ({"weights": [0.0, 1.0]}, "2 weights for 5 ids"),
    "NaN weight": ({"weights": [0.0, 0.0, float("nan"), 0.0, 1.0]}, "weights: expected finite"),
    "infinite weight": ({"weights": [0.0, 0.0, float("inf"), 0.0, 1.0]}, "weights: expected"),
    "negative weight": ({"weights": [0.0, 0.0, -1.0, 0.0, 1.0]}, "weights: expected finite"),
    "trained first token": ({"weights": [0.0, 1.0, 1.0, 0.0, 1.0]}, "the first token of a prefix"),
    "spans do not add up": ({"spans": [[1, 2]]}, "spans: .* whose sum is 5"),
    "no spans": ({"spans": []}, "spans: .* whose sum is 5"),
    "empty span": ({"spans": [[], [1, 2, 2]]}, "spans: .* whose sum is 5"),
    "span of nothing": ({"spans": [[0, 1, 2, 2]]}, "spans: .* at least 1"),
    "negative span": ({"spans": [[7, -2]]}, "spans: .* at least 1"),
    "null spans": ({"spans": None}, "spans: .* whose sum is 5"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_ROWS)
def test_a_row_that_cannot_be_trained_on_is_named(name: str, tmp_path: Path) -> None:
    change, problem = BAD_ROWS[name]
    path = write(tmp_path / "p.parquet", SOUND, SOUND | change)
    with pytest.raises(BadInput, match=rf"p\.parquet: row 1: .*{problem}.*; run `dvc"):
        pack_file.check(path, WORDS)


def test_other_columns_no_rows_and_nothing_to_train_are_named(tmp_path: Path) -> None:
    floats = pa.schema({**dict(zip(pack_file.SCHEMA.names, pack_file.SCHEMA.types, strict=True))})
    floats = floats.set(0, pa.field("ids", pa.list_(pa.float64())))
    with pytest.raises(BadInput, match="expected the columns ids: list"):
        pack_file.check(write(tmp_path / "a.parquet", SOUND, schema=floats), WORDS)
    with pytest.raises(BadInput, match="no token to train"):
        pack_file.check(write(tmp_path / "b.parquet"), WORDS)
    pack_file.check(tmp_path / "b.parquet", WORDS, may_be_empty=True)
    untrained = SOUND | {"weights": [0.0] * 5}
    with pytest.raises(BadInput, match="no token to train"):
        pack_file.check(write(tmp_path / "c.parquet", untrained), WORDS, may_be_empty=True)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"hello" * 99, None, "cut"])
def test_a_file_that_is_no_parquet_is_one_line(content: bytes | str | None, tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    if content == "cut":
        content = write(path, SOUND).read_bytes()[:-20]
    if isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(BadInput, match=r"p\.parquet: .*run `dvc repro render`") as error:
        pack_file.check(path, WORDS)
    assert "\n" not in str(error.value)
