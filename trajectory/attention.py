"""Shared-prefix attention, registered with transformers under the name `shared_prefix`.

The model runs on one row of token ids; the keyword argument `layout` says which token sees which.
Shapes: queries [1, heads, tokens, width], keys and values [1, kv_heads, tokens, width].
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface

from trajectory.packing import Span

SHARED_PREFIX = "shared_prefix"


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
        longest = max(length for span in spans for length in span.branches)
        self._causal = torch.ones(longest, longest, dtype=torch.bool).tril()

    def positions(self) -> Tensor:
        return torch.tensor([[p for span in self.spans for p in span.positions()]])

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:  # noqa: ARG002 - a pack is the same in every layer
        outputs = []
        start = 0
        for span in self.spans:
            part = slice(start, start + span.tokens)
            outputs += self._group(span, query[:, :, part], key[:, :, part], value[:, :, part])
            start += span.tokens
        return torch.cat(outputs, dim=2)

    def _group(self, span: Span, query: Tensor, key: Tensor, value: Tensor) -> list[Tensor]:
        lengths = [span.prefix, *span.branches]
        queries, keys, values = (torch.split(x, lengths, dim=2) for x in (query, key, value))
        outputs = [_attention(queries[0], keys[0], values[0], 0)]
        for q, k, v in zip(queries[1:], keys[1:], values[1:], strict=True):
            k, v = torch.cat([keys[0], k], dim=2), torch.cat([values[0], v], dim=2)
            outputs.append(_attention(q, k, v, span.prefix))
        return outputs


def _attention(query: Tensor, key: Tensor, value: Tensor, before: int) -> Tensor:
    """Causal attention of tokens that come after `before` others; shapes as above."""
    tokens, width = query.shape[2:]
    hidden = torch.full((tokens, tokens), -torch.inf, device=query.device).triu(1)
    hidden = F.pad(hidden, (before, 0))
    if query.is_cuda:
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=hidden.to(query.dtype), enable_gqa=True
        )
    # On a CPU two matrix products are four times as fast as the fused kernel on short branches.
    kv_heads = key.shape[1]
    heads_each = query.shape[1] // kv_heads
    scores = torch.baddbmm(
        hidden.repeat(heads_each, 1),
        query.reshape(kv_heads, heads_each * tokens, width),
        key[0].transpose(1, 2),
        alpha=width**-0.5,
    )
    return torch.bmm(scores.softmax(-1), value[0]).view(query.shape)
