"""Keys and values of prompts that are read once, and of the answers that are being written.

What a row sees comes in two parts, the prompt of its group and its own tokens. Each part is
attended to alone, and the two outputs are mixed by the mass of their weights.

Shapes: queries that share a key head count as rows of it. A unit is a key head of a group or of a
row; its queries are [units, queries, width], its keys [units, width, keys].
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from agent_tuning.tokens.pack_file import Span

GROWTH = 32  # tokens by which a table grows: products with a slice are slower than with all of it
SHORT_QUESTION = 64  # tokens of a question; rows of twice the length stand in a table of their own

BranchKey = tuple[int, int]  # a group, and a branch of it
TensorPair = tuple[Tensor, Tensor]


def attend_with_lse(
    query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None = None
) -> TensorPair:
    """The attention output [units, queries, width], and the mass: log of the weights' sum.

    Queries are scaled; `bias` is broadcast to [units, queries, keys]. On a CPU plain products are
    three times as fast as the fused kernel on so few queries.
    """
    scores = torch.bmm(query, keys).float()
    if bias is not None:
        scores += bias
    weights = scores.softmax(-1)
    mass = scores.amax(-1) - weights.amax(-1).log()  # the largest weight is exp(score - mass)
    return torch.bmm(weights.to(values.dtype), values), mass


def merge_by_lse(one: TensorPair, other: TensorPair) -> Tensor:
    """The output over both parts, given that over each."""
    share = torch.sigmoid(other[1] - one[1])[..., None]
    return torch.lerp(one[0], other[0], share.to(one[0].dtype))


class CacheTable:
    """Rows of about one length, the live ones first; kept as [rows, kv_heads, room, width]."""

    def __init__(self, rows: Sequence[BranchKey], lengths: Sequence[int]) -> None:
        self.rows = list(rows)
        self.lengths = torch.tensor(lengths)
        self.room = max(lengths) + GROWTH
        self.layers: list[TensorPair] = []

    def fill(self, layer: int, row: int, pair: TensorPair) -> None:
        """Keys and values [kv_heads, tokens, width] of a row's question."""
        if layer == len(self.layers):
            kv_heads, _, width = pair[0].shape
            shape = (len(self.rows), kv_heads, self.room, width)
            self.layers.append((pair[0].new_zeros(shape), pair[1].new_zeros(shape)))
        for kept, new in zip(self.layers[layer], pair, strict=True):
            kept[row, :, : new.shape[1]] = new

    def attend(self, layer: int, query: Tensor, pair: TensorPair, bias: Tensor) -> TensorPair:
        """One new token a row: query [units, queries, width], a pair of [rows, kv_heads, width]."""
        count = len(self.rows)
        every = torch.arange(count)
        kept = [table[:count] for table in self.layers[layer]]
        for table, new in zip(kept, pair, strict=True):
            table[every, :, self.lengths] = new
        keys, values = (table.flatten(0, 1) for table in kept)
        return attend_with_lse(query, keys.transpose(1, 2), values, bias)

    def bias(self, kv_heads: int) -> Tensor:
        """[units, 1, room]: hides what comes after a row's new token."""
        beyond = torch.arange(self.room) > self.lengths[:, None]
        hidden = torch.zeros(beyond.shape).masked_fill(beyond, -torch.inf)
        return hidden.repeat_interleave(kv_heads, 0)[:, None]

    def advance(self) -> None:
        """Every row is a token longer; there is room for the next one."""
        self.lengths = self.lengths + 1
        if len(self.rows) and int(self.lengths.max()) == self.room:
            self.room += GROWTH
            self.layers = [
                (F.pad(keys, (0, 0, 0, GROWTH)), F.pad(values, (0, 0, 0, GROWTH)))
                for keys, values in self.layers
            ]

    def keep(self, going: Sequence[bool]) -> list[int]:
        """Go on with these rows only; the order in which they now stand.

        The last ones take the places of those that ended: few rows move, and none is a gap.
        """
        count = sum(going)
        holes = [row for row in range(count) if not going[row]]
        moved = [row for row in range(count, len(going)) if going[row]]
        order = list(range(count))
        for hole, row in zip(holes, moved, strict=True):
            order[hole] = row
        if holes:
            for pair in self.layers:
                for kept in pair:
                    kept[holes] = kept[moved]
        self.rows = [self.rows[row] for row in order]
        self.lengths = self.lengths[order]
        return order


class KVCache:
    """The prompts of a batch of groups, and tables of all their branches.

    `prompts` holds for each layer keys [groups, kv_heads, width, longest] and values
    [groups, kv_heads, longest, width].
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
        self.longest = max(span.prefix for span in spans)
        self.widest = max(len(span.branches) for span in spans)
        self.prompts: list[TensorPair] = []
        self.tables = [
            CacheTable(rows, [spans[group].branches[branch] for group, branch in rows])
            for rows in _by_length(spans)
        ]
        self._home = {
            place: (table, row) for table in self.tables for row, place in enumerate(table.rows)
        }

    @property
    def rows(self) -> list[BranchKey]:
        """The branches that are still being written, in the order of their tokens."""
        return [place for table in self.tables for place in table.rows]

    def fill(self, layer: int, group: int, key: Tensor, value: Tensor) -> None:
        """Keys and values [kv_heads, tokens, width] of a group's prompt and questions."""
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
            table, row = self._home[group, branch]
            table.fill(layer, row, (key[:, part], value[:, part]))
            start += length

    def advance(self) -> None:
        for table in self.tables:
            table.advance()

    def keep(self, going: Sequence[bool]) -> list[int]:
        """Go on with these rows only; the order in which they now stand."""
        order: list[int] = []
        start = 0
        for table in self.tables:
            count = len(table.rows)
            order += [start + row for row in table.keep(going[start : start + count])]
            start += count
        return order


def _by_length(spans: Sequence[Span]) -> list[list[BranchKey]]:
    """Branches up to SHORT tokens, up to twice as many, and so on."""
    found: dict[int, list[BranchKey]] = {}
    for group, span in enumerate(spans):
        for branch, length in enumerate(span.branches):
            doublings = max(0, (length - 1) // SHORT_QUESTION).bit_length()
            found.setdefault(doublings, []).append((group, branch))
    return [rows for _, rows in sorted(found.items())]
