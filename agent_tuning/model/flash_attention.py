"""Shared-prefix attention on a GPU: two calls of flash-attn's kernel for sequences in one row.

One for all prefixes, causal; one for all branches, each over its prefix and itself, causal from the
bottom right. Tested against the kernel's documented meaning in plain torch; not yet run on a GPU:
this was made without one.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from agent_tuning.tokens.packing import Span

Kernel = Callable[..., Tensor]  # flash_attn_varlen_func, of flash-attn 2.1 or later


class VarlenSequences(NamedTuple):
    """What one call sees: rows of queries and of keys, and where each sequence ends in them."""

    queries: Tensor
    keys: Tensor
    bounds: dict[str, Tensor | int]


class VarlenAttention:
    """The two calls for the spans of a pack, which is the same in every layer."""

    def __init__(self, spans: Sequence[Span], device: torch.device) -> None:
        prefixes: list[range] = []
        branches: list[tuple[range, range]] = []  # rows of the prefix and of the branch
        start = 0
        for span in spans:
            prefix = range(start, start + span.prefix)
            prefixes.append(prefix)
            start = prefix.stop
            for length in span.branches:
                branches.append((prefix, range(start, start + length)))
                start += length
        own = [[branch] for _, branch in branches]
        calls = [
            _sequences([[one] for one in prefixes], [[one] for one in prefixes]),
            _sequences(own, [list(both) for both in branches]),
        ]
        order = torch.cat([call.queries for call in calls])
        self.order = order.argsort().to(device)  # from the calls' order back to the row's
        self.calls = [_moved(call, device) for call in calls]

    def attend(self, kernel: Kernel, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Query [1, heads, tokens, width], key and value [1, kv_heads, tokens, width]."""
        q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
        outputs = [
            kernel(q[rows], k[keys], v[keys], **bounds, causal=True)
            for rows, keys, bounds in self.calls
        ]
        return torch.cat(outputs)[self.order].transpose(0, 1)[None]


def find_kernel() -> Kernel | None:
    """flash-attn's, where it is installed and there is a GPU to run it."""
    if not torch.cuda.is_available() or find_spec("flash_attn") is None:
        return None
    from flash_attn import flash_attn_varlen_func

    found: Kernel = flash_attn_varlen_func
    return found


def _sequences(queries: list[list[range]], keys: list[list[range]]) -> VarlenSequences:
    bounds: dict[str, Tensor | int] = {}
    rows = []
    for name, sides in (("q", queries), ("k", keys)):
        lengths = [sum(map(len, parts)) for parts in sides]
        ends = list(accumulate(lengths, initial=0))
        bounds[f"cu_seqlens_{name}"] = torch.tensor(ends, dtype=torch.int32)
        bounds[f"max_seqlen_{name}"] = max(lengths)
        rows.append(torch.tensor([row for parts in sides for part in parts for row in part]))
    return VarlenSequences(rows[0], rows[1], bounds)


def _moved(call: VarlenSequences, device: torch.device) -> VarlenSequences:
    bounds = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in call.bounds.items()}
    return VarlenSequences(call.queries.to(device), call.keys.to(device), bounds)
