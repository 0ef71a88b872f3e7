"""Shared-prefix attention, registered with transformers under the name `shared_prefix`.

The model runs on one row of token ids; the keyword argument `layout` says which token sees which.
Shapes: queries [1, heads, tokens, width], keys and values [1, kv_heads, tokens, width].
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface

from trajectory.packing import Span

SHARED_PREFIX = "shared_prefix"
BLOCK = 256  # queries of a prefix at a time: keys after the last of them need no product


class Layout(Protocol):
    """Which token of the row sees which."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The attention output, shaped like `query`."""


def shared_prefix(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: Layout,
    **_: object,
) -> tuple[Tensor, None]:
    """What transformers calls in place of its own attention; returns [1, tokens, heads, width]."""
    assert attention_mask is None, "the layout is the mask"
    layer: int = module.layer_idx  # type: ignore[assignment]
    return layout.attend(layer, query, key, value).transpose(1, 2), None


AttentionInterface.register(SHARED_PREFIX, shared_prefix)


class PackLayout:
    """Rows of `packing.Pack`: one causal pass over each prefix, then every branch over both."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
        self._hidden: dict[tuple[int, int], Tensor] = {}  # masks, the same in every layer

    def positions(self) -> Tensor:
        return torch.tensor([[p for span in self.spans for p in span.positions()]])

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:  # noqa: ARG002 - a pack is the same in every layer
        # Autocast leaves rotated queries and keys in float32, and would compute the softmax and
        # each mask in it: twice the memory traffic for products that are rounded anyway.
        query, key = query.to(value.dtype), key.to(value.dtype)
        lengths = [length for span in self.spans for length in (span.prefix, *span.branches)]
        parts = zip(*(torch.split(x, lengths, dim=2) for x in (query, key, value)), strict=True)
        with torch.autocast(query.device.type, enabled=False):
            outputs = [output for span in self.spans for output in self._group(span, parts)]
        return torch.cat(outputs, dim=2)

    def _group(self, span: Span, parts: Iterator[tuple[Tensor, ...]]) -> Iterator[Tensor]:
        query, keys, values = next(parts)
        for start, block in enumerate(torch.split(query, BLOCK, dim=2)):
            before = start * BLOCK
            seen = slice(before + block.shape[2])
            yield self._attention(block, keys[:, :, seen], values[:, :, seen], before)
        for query, key, value in islice(parts, len(span.branches)):
            key, value = torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)
            yield self._attention(query, key, value, span.prefix)

    def _attention(self, query: Tensor, key: Tensor, value: Tensor, before: int) -> Tensor:
        """Causal attention of tokens that come after `before` others; shapes as above."""
        tokens, width = query.shape[2:]
        if query.is_cuda:
            hidden = self._mask(query, 1, before)
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask=hidden, enable_gqa=True
            )
        # On a CPU two matrix products are four times as fast as the fused kernel on short branches.
        kv_heads = key.shape[1]
        heads_each = query.shape[1] // kv_heads
        scores = torch.baddbmm(
            self._mask(query, heads_each, before),
            query.reshape(kv_heads, heads_each * tokens, width),
            key[0].transpose(1, 2),
            alpha=width**-0.5,
        )
        return torch.bmm(scores.softmax(-1), value[0]).view(query.shape)

    def _mask(self, query: Tensor, heads: int, before: int) -> Tensor:
        """[heads * tokens, before + tokens], -inf where a token must not see another."""
        tokens = query.shape[2]
        if (tokens, before) not in self._hidden:
            hidden = query.new_full((tokens, tokens), -torch.inf).triu(1)
            self._hidden[tokens, before] = F.pad(hidden, (before, 0)).repeat(heads, 1)
        return self._hidden[tokens, before]


class PrefillLayout(PackLayout):
    """One group's prompt, read once; keys and values are kept for decoding.

    Kept per layer: the prefix [kv_heads, prefix, width] and, left-aligned in room for `new` more
    tokens, every branch [branches, kv_heads, longest + new, width].
    """

    def __init__(self, span: Span, new: int) -> None:
        super().__init__([span])
        self.span = span
        self.room = max(span.branches) + new
        self.prefix: list[tuple[Tensor, Tensor]] = []
        self.branches: list[tuple[Tensor, Tensor]] = []

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        lengths = [self.span.prefix, *self.span.branches]
        parts = [torch.split(x[0], lengths, dim=1) for x in (key, value)]
        self.prefix.append((parts[0][0].contiguous(), parts[1][0].contiguous()))
        self.branches.append((self._roomy(parts[0][1:]), self._roomy(parts[1][1:])))
        return super().attend(layer, query, key, value)

    def _roomy(self, branches: Sequence[Tensor]) -> Tensor:
        kept = branches[0].new_zeros(
            len(branches), branches[0].shape[0], self.room, branches[0].shape[2]
        )
        for row, branch in zip(kept, branches, strict=True):
            row[:, : branch.shape[1]] = branch
        return kept


class DecodeLayout:
    """One new token for every live branch of several groups, in one row.

    A group's branches read their prefix's keys and values together, from one copy.
    """

    def __init__(self, groups: Sequence["LiveGroup"]) -> None:
        self.groups = groups
        self.sizes = [len(group.lengths) for group in groups]

    def positions(self) -> Tensor:
        return torch.cat([group.lengths + group.prefix_length for group in self.groups])[None]

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        rows = [torch.split(x[0].transpose(0, 1), self.sizes) for x in (query, key, value)]
        outputs = [
            group.attend(layer, q, k, v) for group, q, k, v in zip(self.groups, *rows, strict=True)
        ]
        return torch.cat(outputs).transpose(0, 1)[None]


class LiveGroup:
    """Branches of one group that are still being written."""

    def __init__(self, prompt: PrefillLayout) -> None:
        self.prefix = prompt.prefix
        self.branches = prompt.branches
        self.prefix_length = prompt.span.prefix
        self.lengths = torch.tensor(prompt.span.branches)  # tokens in each branch so far

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Query [branches, heads, width], key and value [branches, kv_heads, width]."""
        keys, values = self.branches[layer]
        every = torch.arange(len(self.lengths))
        keys[every, :, self.lengths] = key
        values[every, :, self.lengths] = value
        used = int(self.lengths.max()) + 1
        count, heads, width = query.shape
        kv_heads = key.shape[1]
        q = query.view(count, kv_heads, heads // kv_heads, width) * width**-0.5
        prefix_keys, prefix_values = self.prefix[layer]
        to_prefix = torch.einsum("bkrw,kpw->bkrp", q, prefix_keys)
        to_branch = torch.einsum("bkrw,bkuw->bkru", q, keys[:, :, :used])
        beyond = torch.arange(used)[None] > self.lengths[:, None]
        to_branch = to_branch.masked_fill(beyond[:, None, None], -torch.inf)
        weights = torch.cat([to_prefix, to_branch], dim=-1).softmax(dim=-1)
        on_prefix, on_branch = torch.split(weights, [self.prefix_length, used], dim=-1)
        output = torch.einsum("bkrp,kpw->bkrw", on_prefix, prefix_values)
        output = output + torch.einsum("bkru,bkuw->bkrw", on_branch, values[:, :, :used])
        return output.reshape(count, heads, width)

    def advance(self) -> None:
        self.lengths = self.lengths + 1

    def keep(self, rows: Tensor) -> None:
        """Go on with these branches only."""
        self.lengths = self.lengths[rows]
        self.branches = [(key[rows], value[rows]) for key, value in self.branches]
