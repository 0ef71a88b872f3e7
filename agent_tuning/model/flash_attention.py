"""Shared-prefix attention on a GPU: two calls of a FlashAttention kernel for sequences in one row.

The first call is causal attention of every prefix to itself. The second is attention of every
branch to its prefix and itself, with the causal mask aligned to the bottom right. The kernel is
torch's own, or that of the package flash-attn. The calls are tested against a plain torch version
of what the kernels document. They have not run on a GPU yet: none was available.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import accumulate
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn

from agent_tuning.records import BadInput
from agent_tuning.tokens.pack_file import Span

Kernel = Callable[..., Tensor]  # with the arguments of flash_attn_varlen_func
# What computes attention on a GPU. `parts` is torch's general attention, once a prefix and branch:
# it takes every precision and GPU, and several times the time and memory.
KernelName = Literal["torch", "flash_attn", "parts"]
MIN_CAPABILITY = (8, 0)  # Ampere: what both kernels need


class VarlenSequences(NamedTuple):
    """One call: the rows of its queries and keys, and where each sequence ends in them."""

    queries: Tensor
    keys: Tensor
    bounds: dict[str, Tensor | int]


class VarlenAttention:
    """The two calls for the spans of a pack, which is the same in every layer."""

    def __init__(self, spans: Sequence[Span], device: torch.device) -> None:
        prefixes: list[range] = []
        branches: list[tuple[range, range]] = []  # rows of the prefix, and of the branch
        start = 0
        for span in spans:
            prefix = range(start, start + span.prefix)
            prefixes.append(prefix)
            start = prefix.stop
            for length in span.branches:
                branches.append((prefix, range(start, start + length)))
                start += length
        calls = [
            _build_call([[prefix] for prefix in prefixes], [[prefix] for prefix in prefixes]),
            _build_call([[branch] for _, branch in branches], [list(pair) for pair in branches]),
        ]
        order = torch.cat([call.queries for call in calls])
        self.order = order.argsort().to(device)  # from the calls' order back to the row's
        self.calls = [_move_call(call, device) for call in calls]

    def attend(self, kernel: Kernel, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Query [1, heads, tokens, width], key and value [1, kv_heads, tokens, width]."""
        q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
        outputs = [
            kernel(q[rows], k[keys], v[keys], **bounds, causal=True)
            for rows, keys, bounds in self.calls
        ]
        return torch.cat(outputs)[self.order].transpose(0, 1)[None]


def find_kernel(name: KernelName) -> Kernel | None:
    """The kernel of this name; None for `parts`, and on a CPU, which has its own way.

    Raises BadInput if the GPU or its packages lack the kernel: the general attention in its place
    would run out of memory.
    """
    if name == "parts" or not torch.cuda.is_available():
        return None
    other = "choose another train.gpu_attention: torch or parts"
    if torch.cuda.get_device_capability() < MIN_CAPABILITY:
        raise BadInput(
            f"params.yaml: train.gpu_attention: {name} needs an Ampere GPU or a later one, and this"
            f" is a {torch.cuda.get_device_name()}; set it to parts, and train.precision to float32"
        )
    if name == "torch":
        return call_varlen_attn
    if find_spec("flash_attn") is None:
        raise BadInput(f"params.yaml: train.gpu_attention: flash-attn is not installed; {other}")
    from flash_attn import flash_attn_varlen_func

    kernel: Kernel = flash_attn_varlen_func
    return kernel


def call_varlen_attn(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    cu_seqlens_q: Tensor,
    cu_seqlens_k: Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    causal: bool,
) -> Tensor:
    """torch's kernel, with the arguments of flash_attn_varlen_func."""
    output = varlen_attn(
        query,
        key,
        value,
        cu_seqlens_q,
        cu_seqlens_k,
        max_seqlen_q,
        max_seqlen_k,
        window_size=(-1, 0 if causal else -1),
        enable_gqa=True,
    )
    assert isinstance(output, Tensor)  # it returns more only if asked to
    return output


def _build_call(queries: list[list[range]], keys: list[list[range]]) -> VarlenSequences:
    """One sequence for each item: the ranges of rows that its queries and its keys are in."""
    bounds: dict[str, Tensor | int] = {}
    rows = []
    for name, sides in (("q", queries), ("k", keys)):
        lengths = [sum(map(len, parts)) for parts in sides]
        ends = list(accumulate(lengths, initial=0))
        bounds[f"cu_seqlens_{name}"] = torch.tensor(ends, dtype=torch.int32)
        bounds[f"max_seqlen_{name}"] = max(lengths)
        rows.append(torch.tensor([row for parts in sides for part in parts for row in part]))
    return VarlenSequences(rows[0], rows[1], bounds)


def _move_call(call: VarlenSequences, device: torch.device) -> VarlenSequences:
    bounds = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in call.bounds.items()}
    return VarlenSequences(call.queries.to(device), call.keys.to(device), bounds)
