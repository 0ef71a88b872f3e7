"""Shared-prefix attention, registered with transformers under the name `shared_prefix`.

The model runs on one row of token ids. The keyword argument `layout` is the attention mask: it
computes the attention of every token to those that it may see.
Shapes: queries [1, heads, tokens, width], keys and values [1, kv_heads, tokens, width].
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface

from agent_tuning.model.flash_attention import Kernel, KernelName, VarlenAttention, find_kernel
from agent_tuning.model.recompute import recompute
from agent_tuning.tokens.pack_file import Span

SHARED_PREFIX = "shared_prefix"
BLOCK = 256  # queries of a prefix at a time: keys after the last of them need no product


class AttentionLayout(Protocol):
    """The attention mask of a row: which token attends to which."""

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The attention output, shaped like `query`."""


def shared_prefix(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    layout: AttentionLayout,
    **_: object,
) -> tuple[Tensor, None]:
    """Called by transformers in place of its own attention; returns [1, tokens, heads, width]."""
    assert attention_mask is None, "the layout is the mask"
    layer: int = module.layer_idx  # type: ignore[assignment]
    return layout.attend(layer, query, key, value).transpose(1, 2), None


AttentionInterface.register(SHARED_PREFIX, shared_prefix)


class PackLayout:
    """The mask of a pack: a prefix attends to itself, a branch to its prefix and itself.

    `kernel` computes it on a GPU in half precision; `choose_kernel` sets it for all packs.
    """

    kernel: ClassVar[Kernel | None] = None

    @classmethod
    def choose_kernel(cls, name: KernelName) -> None:
        """Raises BadInput if the GPU or its packages lack the kernel."""
        cls.kernel = staticmethod(kernel) if (kernel := find_kernel(name)) else None

    def __init__(self, spans: Sequence[Span]) -> None:
        self.spans = spans
        self._masks: dict[tuple[int, int], Tensor] = {}  # the same in every layer
        self._varlen: VarlenAttention | None = None

    def positions(self) -> Tensor:
        """Position ids [1, tokens]."""
        return torch.tensor([[p for span in self.spans for p in span.positions()]])

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:  # noqa: ARG002 - a pack is the same in every layer
        # Autocast leaves rotated queries and keys in float32. Softmax and masks would be float32,
        # too: twice the memory traffic for products that are rounded anyway.
        query, key = query.to(value.dtype), key.to(value.dtype)
        if self.kernel and query.is_cuda and query.dtype != torch.float32:
            self._varlen = self._varlen or VarlenAttention(self.spans, query.device)
            return self._varlen.attend(self.kernel, query, key, value)
        if query.is_cuda:
            return self._attend_in_parts(query, key, value)
        return recompute(self._attend_in_parts, query, key, value)

    def _attend_in_parts(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        lengths = [length for span in self.spans for length in (span.prefix, *span.branches)]
        parts = zip(*(torch.split(x, lengths, dim=2) for x in (query, key, value)), strict=True)
        with torch.autocast(query.device.type, enabled=False):
            outputs = [output for span in self.spans for output in self._attend_group(span, parts)]
        return torch.cat(outputs, dim=2)

    def _attend_group(self, span: Span, parts: Iterator[tuple[Tensor, ...]]) -> Iterator[Tensor]:
        query, keys, values = next(parts)
        for start, block in enumerate(torch.split(query, BLOCK, dim=2)):
            before = start * BLOCK
            seen = slice(before + block.shape[2])
            yield self._attend_causally(block, keys[:, :, seen], values[:, :, seen], before)
        for query, key, value in islice(parts, len(span.branches)):
            key, value = torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)
            yield self._attend_causally(query, key, value, span.prefix)

    def _attend_causally(self, query: Tensor, key: Tensor, value: Tensor, before: int) -> Tensor:
        """Causal attention of tokens that come after `before` others; shapes as above."""
        tokens, width = query.shape[2:]
        if query.is_cuda:
            mask = self._get_mask(query, 1, before)
            return F.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, enable_gqa=True
            )
        # On a CPU two matrix products are four times as fast as the fused kernel on short branches.
        kv_heads = key.shape[1]
        heads_each = query.shape[1] // kv_heads
        scores = torch.baddbmm(
            self._get_mask(query, heads_each, before),
            query.reshape(kv_heads, heads_each * tokens, width),
            key[0].transpose(1, 2),
            alpha=width**-0.5,
        )
        return torch.bmm(scores.softmax(-1), value[0]).view(query.shape)

    def _get_mask(self, query: Tensor, heads: int, before: int) -> Tensor:
        """[heads * tokens, before + tokens], -inf where a token must not attend to another."""
        tokens = query.shape[2]
        if (tokens, before) not in self._masks:
            mask = query.new_full((tokens, tokens), -torch.inf).triu(1)
            self._masks[tokens, before] = F.pad(mask, (before, 0)).repeat(heads, 1)
        return self._masks[tokens, before]
