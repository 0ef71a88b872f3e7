"""Packs and their parquet file: one row a pack, with its token ids, loss weights and spans.

A pack is one training row of whole groups. For each group it holds the tokens of the prompt that
its trajectories share (the prefix), then those of each trajectory (a branch). `Span` says how long
they are. Which tokens are trained, and their labels, follow from the weights.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from agent_tuning.records import Record

PACKS_IN_MEMORY = 256
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
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    trained = 0
    with pq.ParquetWriter(partial, SCHEMA) as out:
        for batch in _split_into_batches(iter(packs)):
            trained += sum(weight != 0 for pack in batch for weight in pack.weights)
            columns = {
                "ids": [pack.ids for pack in batch],
                "weights": [pack.weights for pack in batch],
                "spans": [[[span.prefix, *span.branches] for span in pack.spans] for pack in batch],
            }
            out.write_table(pa.table(columns, SCHEMA))
    os.replace(partial, target)
    return trained


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
