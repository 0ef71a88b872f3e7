"""Packs and their parquet file: one row a pack, with its token ids, loss weights and spans.

A pack is one training row of whole groups. For each group it holds the tokens of the prompt that
its trajectories share (the prefix), then those of each trajectory (a branch). `Span` says how long
they are. Which tokens are trained, and their labels, follow from the weights.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from agent_tuning.files import atomic_write
from agent_tuning.records import BadInput, Record

PACKS_IN_MEMORY = 256
REMEDY = "run `dvc repro render`"
SCHEMA = pa.schema(
    {
        "ids": pa.list_(pa.int32()),
        "weights": pa.list_(pa.float32()),
        "spans": pa.list_(pa.list_(pa.int32())),  # of each group: its prefix, then its branches
    }
)


class Span(Record, frozen=True):
    """One group's place in a row: lengths of its prefix and of each branch, in tokens."""

    prefix: int
    branches: tuple[int, ...]

    @property
    def tokens(self) -> int:
        return self.prefix + sum(self.branches)

    @property
    def attention_pairs(self) -> int:
        """Pairs of a query and a key that the query may see: what attention costs."""
        own = sum(length * (length + 1) // 2 for length in (self.prefix, *self.branches))
        return own + self.prefix * sum(self.branches)

    def positions(self) -> Iterator[int]:
        """The position id of each token: a branch goes on where the prefix ends."""
        yield from range(self.prefix)
        for length in self.branches:
            yield from range(self.prefix, self.prefix + length)


class Pack(NamedTuple):
    """A training row. `weights[i]` is the weight of token i in the loss, 0 if it is not trained."""

    ids: list[int]
    weights: list[float]
    spans: list[Span]


def write(target: Path, packs: Iterable[Pack]) -> int:
    """Write all packs or nothing; return how many tokens are trained."""
    trained = 0
    with atomic_write.replacing(target) as partial, pq.ParquetWriter(partial, SCHEMA) as out:
        for batch in _split_into_batches(iter(packs)):
            trained += sum(weight != 0 for pack in batch for weight in pack.weights)
            columns = {
                "ids": [pack.ids for pack in batch],
                "weights": [pack.weights for pack in batch],
                "spans": [[[span.prefix, *span.branches] for span in pack.spans] for pack in batch],
            }
            out.write_table(pa.table(columns, SCHEMA))
    return trained


def check(path: Path, vocabulary: int, *, may_be_empty: bool = False) -> None:
    """Raise BadInput, with the file and the row, for packs that cannot be trained on.

    `vocabulary`: how many token ids the model knows.
    """
    trained = rows = 0
    try:
        file = pq.ParquetFile(path)
        if not file.schema_arrow.equals(SCHEMA):
            raise BadInput(f"{path}: expected the columns {_describe(SCHEMA)}; {REMEDY}")
        for batch in file.iter_batches(PACKS_IN_MEMORY):
            for ids, weights, spans in zip(*batch.columns, strict=True):
                if problem := _find_problem(ids, weights, spans, vocabulary):
                    raise BadInput(f"{path}: row {rows}: {problem}; {REMEDY}")
                trained += int(np.count_nonzero(weights.values))
                rows += 1
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"{path}: expected packs: {reason}; {REMEDY}") from error
    if not trained and not (may_be_empty and not rows):
        raise BadInput(f"{path}: no token to train; {REMEDY}")


def _find_problem(ids: pa.Scalar, weights: pa.Scalar, spans: pa.Scalar, vocabulary: int) -> str:
    """What makes a row useless; "" if nothing does. Tokens stay in arrays: there are many."""
    for name, values in (("ids", ids.values), ("weights", weights.values)):
        if values is None or values.null_count or not len(values):
            return f"{name}: expected numbers"
    tokens, factors = np.asarray(ids.values), np.asarray(weights.values)
    if tokens.min() < 0 or tokens.max() >= vocabulary:
        return f"ids: expected tokens from 0 to {vocabulary - 1}"
    if len(factors) != len(tokens):
        return f"{len(factors)} weights for {len(tokens)} ids"
    if not (np.isfinite(factors).all() and factors.min() >= 0):
        return "weights: expected finite numbers of at least 0"
    groups: list[list[int]] = spans.as_py() or []
    lengths = [length or -1 for span in groups for length in span or [-1]]
    starts = np.cumsum([0, *lengths])
    if min(lengths, default=-1) < 1 or starts[-1] != len(tokens):
        return f"spans: expected lengths of at least 1 whose sum is {len(tokens)}"
    if factors[starts[:-1]].any():
        return "weights: the first token of a prefix or of a branch cannot be trained"
    return ""


def _describe(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)


def read(path: Path) -> Iterator[Pack]:
    """The packs of a file, in order; what `write` was given, with weights in float32."""
    for batch in pq.ParquetFile(path).iter_batches(PACKS_IN_MEMORY):
        for row in batch.to_pylist():
            yield Pack(row["ids"], row["weights"], read_spans(row))


def read_spans(row: Mapping[str, Any]) -> list[Span]:
    """The spans of one row of the file."""
    return [Span(prefix, tuple(branches)) for prefix, *branches in row["spans"]]


def _split_into_batches(packs: Iterator[Pack]) -> Iterator[list[Pack]]:
    while batch := list(islice(packs, PACKS_IN_MEMORY)):
        yield batch
