"""Packs as a parquet file: ids, labels, weights, spans; written as they come."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from agent_tuning.tokens.packing import IGNORED, Pack

ROWS = 256  # packs in memory at a time
SCHEMA = pa.schema(
    {
        "ids": pa.list_(pa.int32()),
        "labels": pa.list_(pa.int32()),
        "weights": pa.list_(pa.float32()),
        "spans": pa.list_(pa.list_(pa.int32())),  # of each group: its prefix, then its branches
    }
)


def write(target: Path, packs: Iterable[Pack]) -> int:
    """Write all or nothing; return how many tokens are trained."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    trained = 0
    with pq.ParquetWriter(partial, SCHEMA) as out:
        for rows in _batches(iter(packs)):
            trained += sum(label != IGNORED for row in rows for label in row.labels)
            columns = {
                "ids": [row.ids for row in rows],
                "labels": [row.labels for row in rows],
                "weights": [row.weights for row in rows],
                "spans": [[[span.prefix, *span.branches] for span in row.spans] for row in rows],
            }
            out.write_table(pa.table(columns, SCHEMA))
    os.replace(partial, target)
    return trained


def _batches(packs: Iterator[Pack]) -> Iterator[list[Pack]]:
    while rows := list(islice(packs, ROWS)):
        yield rows
