"""Keys and values of prompts that are read once, and of the answers that are being decoded.

A row is one answer. It attends to two parts: the prompt of its group, and its own tokens. Attention
to each part is computed alone. The two outputs are then merged by their LSE, the log of the sum of
exponentials of the scores.

Shapes: a unit is a key head of a group or of a row. Queries that share a key head are in one unit:
queries are [units, queries, width], keys [units, width, keys].
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from agent_tuning.tokens.pack_file import Span

GROWTH = 32  # tokens by which a table grows: products with a slice are slower than with all of it
SHORT_QUESTION = 64  # tokens; questions of up to twice, four times ... as many have own tables

BranchKey = tuple[int, int]  # indices of a group, and of a branch in it
TensorPair = tuple[Tensor, Tensor]  # keys and values, or output and LSE


def attend_with_lse(
    query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None
) -> TensorPair:
    """The attention output [units, queries, width] and its LSE [units, queries].

    Queries are already scaled. `bias` is broadcast to [units, queries, keys]. On a CPU plain
    products are three times as fast as the fused kernel for so few queries.
    """
    scores = torch.bmm(query, keys).float()
    if bias is not None:
        scores += bias
    weights = scores.softmax(-1)
    lse = scores.amax(-1) - weights.amax(-1).log()  # the largest weight is exp(score - LSE)
    return torch.bmm(weights.to(values.dtype), values), lse


def merge_by_lse(first: TensorPair, second: TensorPair) -> Tensor:
    """The attention output over both parts, from output and LSE of each."""
    share = torch.sigmoid(second[1] - first[1])[..., None]
    return torch.lerp(first[0], second[0], share.to(first[0].dtype))


class CacheTable:
    """Keys and values [rows, kv_heads, room, width] of rows of similar length, unfinished first."""

    def __init__(self, rows: Sequence[BranchKey], lengths: Sequence[int]) -> None:
        self.rows = list(rows)
        self.lengths = torch.tensor(lengths)
        self.room = max(lengths) + GROWTH
        self.layers: list[TensorPair] = []

    def fill(self, layer: int, row: int, pair: TensorPair) -> None:
        """Set the keys and values [kv_heads, tokens, width] of a row's question."""
        if layer == len(self.layers):
            kv_heads, _, width = pair[0].shape
            shape = (len(self.rows), kv_heads, self.room, width)
            self.layers.append((pair[0].new_zeros(shape), pair[1].new_zeros(shape)))
        for table, new in zip(self.layers[layer], pair, strict=True):
            table[row, :, : new.shape[1]] = new

    def attend(self, layer: int, query: Tensor, pair: TensorPair, bias: Tensor) -> TensorPair:
        """Add one token a row, and attend to all: output and LSE.

        `query` is [units, queries, width], `pair` key and value [rows, kv_heads, width].
        """
        count = len(self.rows)
        all_rows = torch.arange(count)
        tables = [table[:count] for table in self.layers[layer]]
        for table, new in zip(tables, pair, strict=True):
            table[all_rows, :, self.lengths] = new
        keys, values = (table.flatten(0, 1) for table in tables)
        return attend_with_lse(query, keys.transpose(1, 2), values, bias)

    def bias(self, kv_heads: int) -> Tensor:
        """[units, 1, room]: -inf for what comes after a row's new token, else 0."""
        beyond = torch.arange(self.room) > self.lengths[:, None]
        bias = torch.zeros(beyond.shape).masked_fill(beyond, -torch.inf)
        return bias.repeat_interleave(kv_heads, 0)[:, None]

    def advance(self) -> None:
        """Count the new token of every row, and make room for the next one."""
        self.lengths = self.lengths + 1
        if len(self.rows) and int(self.lengths.max()) == self.room:
            self.room += GROWTH
            rows, more = len(self.rows), (0, 0, 0, GROWTH)
            # One layer at a time, without finished rows: two whole tables take gigabytes.
            for layer, (keys, values) in enumerate(self.layers):
                self.layers[layer] = (F.pad(keys[:rows], more), F.pad(values[:rows], more))

    def keep(self, unfinished: Sequence[bool]) -> list[int]:
        """Drop the finished rows; return the old indices of the others in their new order.

        The last rows move into the gaps that finished ones leave, so that few rows move.
        """
        count = sum(unfinished)
        holes = [row for row in range(count) if not unfinished[row]]
        moved = [row for row in range(count, len(unfinished)) if unfinished[row]]
        order = list(range(count))
        for hole, row in zip(holes, moved, strict=True):
            order[hole] = row
        if holes:
            for pair in self.layers:
                for table in pair:
                    table[holes] = table[moved]
        self.rows = [self.rows[row] for row in order]
        self.lengths = self.lengths[order]
        return order


class KVCache:
    """Keys and values of the prompts of a batch of groups, and tables of all their branches.

    `prompts` has for each layer keys [groups, kv_heads, width, longest] and values
    [groups, kv_heads, longest, width].
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
        self.longest = max(span.prefix for span in spans)
        self.widest = max(len(span.branches) for span in spans)
        self.prompts: list[TensorPair] = []
        self.tables = [
            CacheTable(rows, [spans[group].branches[branch] for group, branch in rows])
            for rows in _split_by_length(spans)
        ]
        self._row_of_branch = {
            key: (table, row) for table in self.tables for row, key in enumerate(table.rows)
        }

    @property
    def rows(self) -> list[BranchKey]:
        """The branches that are still being decoded, in the order of their tokens."""
        return [key for table in self.tables for key in table.rows]

    def fill(self, layer: int, group: int, key: Tensor, value: Tensor) -> None:
        """Set keys and values [kv_heads, tokens, width] of a group's prompt and questions."""
        span = self.spans[group]
        if layer == len(self.prompts):
            kv_heads, _, width = key.shape
            shape = (len(self.spans), kv_heads, width, self.longest)
            keys = key.new_zeros(shape)
            self.prompts.append((keys, value.new_zeros(shape).mT.contiguous()))
        keys, values = self.prompts[layer]
        keys[group, :, :, : span.prefix] = key[:, : span.prefix].mT
        values[group, :, : span.prefix] = value[:, : span.prefix]
        start = span.prefix
        for branch, length in enumerate(span.branches):
            part = slice(start, start + length)
            table, row = self._row_of_branch[group, branch]
            table.fill(layer, row, (key[:, part], value[:, part]))
            start += length

    def advance(self) -> None:
        """Count the new token of every row."""
        for table in self.tables:
            table.advance()

    def keep(self, unfinished: Sequence[bool]) -> list[int]:
        """Drop the finished rows; return the old indices of the others in their new order."""
        order: list[int] = []
        start = 0
        for table in self.tables:
            count = len(table.rows)
            order += [start + row for row in table.keep(unfinished[start : start + count])]
            start += count
        return order


def _split_by_length(spans: Sequence[Span]) -> list[list[BranchKey]]:
    """Branches of up to SHORT_QUESTION tokens, of up to twice as many, and so on."""
    tables: dict[int, list[BranchKey]] = {}
    for group, span in enumerate(spans):
        for branch, length in enumerate(span.branches):
            doublings = max(0, (length - 1) // SHORT_QUESTION).bit_length()
            tables.setdefault(doublings, []).append((group, branch))
    return [rows for _, rows in sorted(tables.items())]
